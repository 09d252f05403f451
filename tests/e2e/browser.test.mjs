// Two pages in a real browser meet through the gateway as a deployed client does, take STUN and TURN from
// `registered`, and talk over a data channel that may only use the relay.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { chromium } from 'playwright-core';
import { patience, sleep, start, temporary } from './lib/cluster.mjs';

const MESSAGES = 1000;
const EXECUTABLE = process.env.IFSWARM_CHROMIUM ?? '/usr/bin/chromium';

// Runs inside the page. The client knows register, offer, answer, ice-candidate and nothing newer.
function client() {
	window.meet = ({ url, me, other, offers, messages }) => new Promise((resolve, reject) => {
		const socket = new WebSocket(url);
		const got = [];
		let pc;
		const send = (message) => socket.send(JSON.stringify({ from: me, to: other, ...message }));
		const pair = async () => {
			const stats = [...(await pc.getStats()).values()];
			const chosen = stats.find((each) => each.type === 'candidate-pair' && each.nominated && each.state === 'succeeded');
			const type = (id) => stats.find((each) => each.id === id)?.candidateType;
			return [type(chosen.localCandidateId), type(chosen.remoteCandidateId)];
		};
		const talk = (channel) => {
			channel.onmessage = async ({ data }) => {
				got.push(Number(data));
				if (!offers) channel.send(data);
				if (got.length === messages) resolve({ got, pair: await pair() });
			};
			channel.onopen = () => {
				for (let n = 0; offers && n < messages; n++) channel.send(String(n));
			};
		};
		const open = (iceServers) => {
			pc = new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' });
			pc.onicecandidate = ({ candidate }) => candidate && send({ type: 'ice-candidate', candidate });
			pc.oniceconnectionstatechange = () => pc.iceConnectionState === 'failed' && reject(new Error('ICE failed'));
			pc.ondatachannel = ({ channel }) => talk(channel);
		};
		const call = async () => {
			talk(pc.createDataChannel('talk'));
			await pc.setLocalDescription(await pc.createOffer());
			send({ type: 'offer', offer: pc.localDescription });
		};
		const answer = async (offer) => {
			await pc.setRemoteDescription(offer);
			await pc.setLocalDescription(await pc.createAnswer());
			send({ type: 'answer', answer: pc.localDescription });
		};
		const hear = {
			registered: async ({ ice_servers, connected_agents }) => {
				open(ice_servers);
				if (offers && connected_agents.includes(other)) await call();
			},
			'agent-joined': async ({ agent_id }) => offers && agent_id === other && call(),
			offer: ({ offer }) => answer(offer),
			answer: ({ answer: description }) => pc.setRemoteDescription(description),
			'ice-candidate': ({ candidate }) => pc.addIceCandidate(candidate),
			error: ({ message }) => reject(new Error(message)),
		};
		let last = Promise.resolve();
		socket.onopen = () => socket.send(JSON.stringify({ type: 'register', agent_id: me }));
		socket.onmessage = ({ data }) => {
			const frame = JSON.parse(data);
			last = last.then(() => hear[frame.type]?.(frame)).catch(reject);
		};
		socket.onerror = () => reject(new Error('the WebSocket failed'));
	});
}

describe('a browser', { skip: !fs.existsSync(EXECUTABLE) && `no ${EXECUTABLE}` }, () => {
	let cluster;
	let browser;
	let server;
	const profile = temporary('profile');
	before(async () => {
		cluster = await start('browser');
		server = http.createServer((_, reply) => {
			reply.setHeader('Content-Type', 'text/html');
			reply.end(`<!doctype html><title>ifswarm</title><script>(${client})()</script>`);
		}).listen(0, '127.0.0.1');
		await new Promise((resolve) => server.once('listening', resolve));
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
			await tab.goto(`http://localhost:${server.address().port}/`);
			const limit = sleep(60_000 * patience, null, { ref: false }).then(() => { throw new Error(`${parameters.me}: no end`); });
			return Promise.race([tab.evaluate((all) => window.meet(all), { url: cluster.url, messages: MESSAGES, ...parameters }), limit]);
		};
		const [caller, callee] = await Promise.all([
			page({ me: 'caller', other: 'callee', offers: true }), page({ me: 'callee', other: 'caller', offers: false }),
		]);

		const all = Array.from({ length: MESSAGES }, (_, n) => n);
		assert.deepEqual(caller.got, all);
		assert.deepEqual(callee.got, all);
		assert.deepEqual(caller.pair, ['relay', 'relay']);
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
