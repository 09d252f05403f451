// Firefox too: two clients in one page meet over the relay alone. It has no driver here; the page says how it went.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { patience, sleep, start, temporary } from './lib/cluster.mjs';
import { serve } from './lib/page.mjs';

const MESSAGES = 200;
const EXECUTABLE = process.env.IFSWARM_FIREFOX ?? '/usr/bin/firefox-esr';

// Loopback addresses are no candidates otherwise; and nothing is to be asked of the world at the first start.
const PREFERENCES = {
	'media.peerconnection.ice.loopback': true,
	'media.peerconnection.ice.obfuscate_host_addresses': false,
	'browser.shell.checkDefaultBrowser': false,
	'browser.aboutwelcome.enabled': false,
	'datareporting.policy.dataSubmissionEnabled': false,
	'toolkit.telemetry.enabled': false,
	'app.normandy.enabled': false,
	'app.update.enabled': false,
	'network.captive-portal-service.enabled': false,
	'network.connectivity-service.enabled': false,
};

// Runs inside the page.
function both(url, messages) {
	const meet = (me, other, offers) => window.meet({ url, me, other, offers, messages });
	Promise.all([meet('caller', 'callee', true), meet('callee', 'caller', false)])
		.then(([caller, callee]) => ({ caller, callee }), (error) => ({ error: String(error) }))
		.then((outcome) => fetch('/outcome', { method: 'POST', body: JSON.stringify(outcome) }));
}

describe('firefox', { skip: !fs.existsSync(EXECUTABLE) && `no ${EXECUTABLE}` }, () => {
	let cluster;
	let server;
	let browser;
	const profile = temporary('firefox');
	before(async () => {
		cluster = await start('firefox');
		server = await serve(`(${both})(${JSON.stringify(cluster.url)}, ${MESSAGES})`);
		fs.writeFileSync(path.join(profile, 'user.js'), Object.entries(PREFERENCES)
			.map(([key, value]) => `user_pref(${JSON.stringify(key)}, ${value});\n`).join(''));
		browser = spawn(EXECUTABLE, ['--headless', '--no-remote', '--profile', profile, server.url],
			{ stdio: 'ignore', env: { ...process.env, HOME: profile, MOZ_DISABLE_CONTENT_SANDBOX: '1' } });
	});
	after(async () => {
		if (browser.exitCode === null) {
			browser.kill('SIGTERM');
			await new Promise((resolve) => browser.once('exit', resolve));
		}
		server?.close();
		await cluster?.close();
		fs.rmSync(profile, { recursive: true, force: true });
	});

	it(`exchanges ${MESSAGES} messages through the relay alone`, async () => {
		const limit = sleep(60_000 * patience, null, { ref: false }).then(() => { throw new Error('the page said nothing'); });
		const { caller, callee, error } = await Promise.race([server.outcome, limit]);

		assert.equal(error, undefined);
		const all = Array.from({ length: MESSAGES }, (_, n) => n);
		assert.deepEqual(caller.got, all);
		assert.deepEqual(callee.got, all);
		// Its own side of each pair: the other's is "prflx" if a check came before its candidate (RFC 8445 section 7.3.1.3).
		assert.deepEqual([caller.pair[0], callee.pair[0]], ['relay', 'relay']);
	});
});
