// Two pages in a real browser meet through the gateway as a deployed client does, take STUN and TURN from
// `registered`, and talk over a data channel that may only use the relay.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { chromium } from 'playwright-core';
import { patience, sleep, start, temporary } from './lib/cluster.mjs';
import { serve } from './lib/page.mjs';

const MESSAGES = 1000;
const EXECUTABLE = process.env.IFSWARM_CHROMIUM ?? '/usr/bin/chromium';

describe('a browser', { skip: !fs.existsSync(EXECUTABLE) && `no ${EXECUTABLE}` }, () => {
	let cluster;
	let browser;
	let server;
	const profile = temporary('profile');
	before(async () => {
		cluster = await start('browser');
		server = await serve();
		browser = await chromium.launchPersistentContext(profile, {
			executablePath: EXECUTABLE, headless: true, chromiumSandbox: false,
			args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
				'--disable-component-update', '--disable-sync', '--allow-loopback-in-peer-connection'],
		});
	});
	after(async () => {
		await browser?.close();
		server?.close();
		await cluster?.close();
		fs.rmSync(profile, { recursive: true, force: true });
	});

	it(`exchanges ${MESSAGES} messages through the relay alone`, async () => {
		const page = async (parameters) => {
			const tab = await browser.newPage();
			await tab.goto(server.url);
			const limit = sleep(60_000 * patience, null, { ref: false }).then(() => { throw new Error(`${parameters.me}: no end`); });
			return Promise.race([tab.evaluate((all) => window.meet(all), { url: cluster.url, messages: MESSAGES, ...parameters }), limit]);
		};
		const [caller, callee] = await Promise.all([
			page({ me: 'caller', other: 'callee', offers: true }), page({ me: 'callee', other: 'caller', offers: false }),
		]);

		const all = Array.from({ length: MESSAGES }, (_, n) => n);
		assert.deepEqual(caller.got, all);
		assert.deepEqual(callee.got, all);
		// Its own side of each pair: the other's is "prflx" if a check came before its candidate (RFC 8445 section 7.3.1.3).
		assert.deepEqual([caller.pair[0], callee.pair[0]], ['relay', 'relay']);
	});

	it('left its traces in the log', async () => {
		const seen = new Set((await cluster.log()).map((event) => event.event));
		for (const name of ['agent_registered', 'sdp_offer_relayed', 'sdp_answer_relayed', 'ice_candidate_relayed',
			'turn_allocation_created', 'turn_permission_installed']) {
			assert.ok(seen.has(name), `${name} in ${[...seen]}`);
		}
		const { code, text } = await cluster.ifreplay('verify');
		assert.equal(code, 0, text);
	});
});
