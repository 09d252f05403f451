// Firefox too: two clients in one page meet over the relay alone, over UDP, TCP and TLS. It has no driver here; the page says
// how it went.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { authority } from './lib/certificates.mjs';
import { patience, sleep, start, temporary } from './lib/cluster.mjs';
import { serve, ways } from './lib/page.mjs';

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

// Runs inside the page: [{ caller, callee } or { error } …], one for each way.
async function both(url, messages, each) {
	const outcomes = [];
	for (const { name, only } of each) {
		const meet = (me, other, offers) => window.meet({ url, me: `${me}-${name}`, other: `${other}-${name}`, offers, messages, only });
		outcomes.push(await Promise.all([meet('caller', 'callee', true), meet('callee', 'caller', false)])
			.then(([caller, callee]) => ({ caller, callee }), (error) => ({ error: String(error) })));
	}
	await fetch('/outcome', { method: 'POST', body: JSON.stringify(outcomes) });
}

// What an exception made by hand leaves in a profile: this certificate, at this place, is believed.
function exception(port, cert) {
	const { fingerprint256 } = new X509Certificate(fs.readFileSync(cert));
	return `localhost:${port}:\tOID.2.16.840.1.101.3.4.2.1\t${fingerprint256}\t\n`;
}

describe('firefox', { skip: !fs.existsSync(EXECUTABLE) && `no ${EXECUTABLE}` }, () => {
	let cluster;
	let server;
	let browser;
	const profile = temporary('firefox');
	before(async () => {
		const { cert, key } = await (await authority(profile)).issue('turn');
		// It tries TLS only where the URL has a name.
		cluster = await start('firefox', { cert, pkey: key, 'turns-host': 'localhost', 'turn-tcp': 'yes' });
		server = await serve(`(${both})(${JSON.stringify(cluster.url)}, ${MESSAGES}, ${JSON.stringify(ways)})`);
		fs.writeFileSync(path.join(profile, 'cert_override.txt'), exception(cluster.ports.turns, cert));
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

	it(`exchanges ${MESSAGES} messages through the relay alone, over ${ways.map(({ name }) => name).join(', ')}`, async () => {
		const limit = sleep(90_000 * patience, null, { ref: false }).then(() => { throw new Error('the page said nothing'); });
		const outcomes = await cluster.telling(() => Promise.race([server.outcome, limit]));

		const all = Array.from({ length: MESSAGES }, (_, n) => n);
		outcomes.forEach(({ caller, callee, error }, at) => {
			assert.equal(error, undefined, ways[at].name);
			assert.deepEqual(caller.got, all);
			assert.deepEqual(callee.got, all);
			// Its own side of each pair: the other's is "prflx" if a check came before its candidate (RFC 8445 section 7.3.1.3).
			assert.deepEqual([caller.pair[0], callee.pair[0]], ['relay', 'relay']);
		});
		const transports = (await cluster.log('turn_allocation_created')).map(({ fields }) => fields.client_transport);
		assert.deepEqual([...new Set(transports)], ways.map(({ transport }) => transport));
	});
});
