// Two pages in a real browser meet through the gateway as a deployed client does, take STUN and TURN from
// `registered`, and talk over a data channel that may only use the relay: over UDP, TCP and TLS.
import assert from 'node:assert/strict';
import { X509Certificate, createHash } from 'node:crypto';
import fs from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { chromium } from 'playwright-core';
import { authority } from './lib/certificates.mjs';
import { patience, sleep, start, temporary } from './lib/cluster.mjs';
import { serve, ways } from './lib/page.mjs';

const MESSAGES = 1000;
const EXECUTABLE = process.env.IFSWARM_CHROMIUM ?? '/usr/bin/chromium';

describe('a browser', { skip: !fs.existsSync(EXECUTABLE) && `no ${EXECUTABLE}` }, () => {
	let cluster;
	let browser;
	let server;
	const profile = temporary('profile');
	before(async () => {
		const { cert, key } = await (await authority(profile)).issue('turn');
		cluster = await start('browser', { cert, pkey: key, 'turn-tcp': 'yes' });
		server = await serve();
		// Chromium has no store of certificates of its own here: it believes this key alone.
		const { publicKey } = new X509Certificate(fs.readFileSync(cert));
		const pin = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
		browser = await chromium.launchPersistentContext(profile, {
			executablePath: EXECUTABLE, headless: true, chromiumSandbox: false,
			args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
				'--disable-component-update', '--disable-sync', '--allow-loopback-in-peer-connection',
				`--ignore-certificate-errors-spki-list=${pin}`],
		});
	});
	after(async () => {
		await browser?.close();
		server?.close();
		await cluster?.close();
		fs.rmSync(profile, { recursive: true, force: true });
	});

	for (const { name, only, transport } of ways) {
		it(`exchanges ${MESSAGES} messages through the relay alone, over ${name}`, async () => {
			const before = (await cluster.log('turn_allocation_created')).length;
			const page = async (parameters) => {
				const tab = await browser.newPage();
				await tab.goto(server.url);
				const limit = sleep(60_000 * patience, null, { ref: false }).then(() => { throw new Error(`${parameters.me}: no end`); });
				const all = { url: cluster.url, messages: MESSAGES, only, ...parameters };
				return Promise.race([tab.evaluate((given) => window.meet(given), all), limit]);
			};
			const [one, other] = [`caller-${transport}`, `callee-${transport}`];
			const [caller, callee] = await cluster.telling(() =>
				Promise.all([page({ me: one, other, offers: true }), page({ me: other, other: one, offers: false })]));

			const all = Array.from({ length: MESSAGES }, (_, n) => n);
			assert.deepEqual(caller.got, all);
			assert.deepEqual(callee.got, all);
			// Its own side of each pair: the other's is "prflx" if a check came before its candidate (RFC 8445 section 7.3.1.3).
			assert.deepEqual([caller.pair[0], callee.pair[0]], ['relay', 'relay']);
			const fresh = (await cluster.log('turn_allocation_created')).slice(before);
			assert.ok(fresh.length >= 2);
			assert.ok(fresh.every(({ fields }) => fields.client_transport === transport), JSON.stringify(fresh));
		});
	}

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
