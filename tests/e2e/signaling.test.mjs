// What agents speak (README, docs/architecture.md): registering, relaying, refusing; rooms; several gateways; TLS; the HTTP pages.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Agent, answer, candidate, join, offer } from './lib/agent.mjs';
import { prepare, sleep, start, until } from './lib/cluster.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
let serial = 0;
const unique = (name) => `${name}-${++serial}`;

// A room of its own for each test, so that tests do not hear of one another.
async function room(url, ...names) {
	const name = unique('room');
	const agents = [];
	for (const each of names) agents.push(await join(url, unique(each), { room: name }));
	return { name, agents };
}

async function closeAll(agents) { await Promise.all(agents.map((agent) => agent.close())); }

describe('signaling', () => {
	let cluster;
	before(async () => { cluster = await start('signaling'); });
	after(() => cluster?.close());

	it('tells a newcomer who it is, who is there, and where STUN and TURN are', async () => {
		const a = await join(cluster.url, unique('a'));
		const b = await join(cluster.url, unique('b'));

		assert.deepEqual(a.registered.agent_id, a.name);
		assert.ok(!a.registered.connected_agents.includes(b.name));
		assert.ok(b.registered.connected_agents.includes(a.name));
		assert.ok(!b.registered.connected_agents.includes(b.name));
		const urls = b.registered.ice_servers.flatMap((server) => server.urls);
		assert.ok(urls.some((url) => url.startsWith('stun:') && url.includes(String(cluster.ports.turn))), urls.join());
		assert.ok(urls.some((url) => url.startsWith('turn:') && url.includes(String(cluster.ports.turn))), urls.join());
		const turn = b.registered.ice_servers.find((server) => [server.urls].flat().some((url) => url.startsWith('turn:')));
		assert.match(turn.username, new RegExp(`^[0-9]+:.*${b.name}`));
		assert.ok(turn.credential.length > 0);
		await closeAll([a, b]);
	});

	it('tells the others of a join and of a leave, once each, and nobody of its own', async () => {
		const { agents: [a, b] } = await room(cluster.url, 'a', 'b');

		assert.equal((await a.next('agent-joined')).agent_id, b.name);
		await b.close();
		assert.equal((await a.next('agent-left')).agent_id, b.name);
		await sleep(200);
		assert.deepEqual(a.frames, []);
		assert.ok(!b.all.some((text) => JSON.parse(text).type === 'agent-joined'));
		await a.close();
	});

	it('relays offer, answer and candidate byte for byte', async () => {
		const { agents: [a, b] } = await room(cluster.url, 'a', 'b');
		const sdp = 'v=0\\r\\no=- 1 2 IN IP4 127.0.0.1\\r\\ns=-\\u0020\\r\\na=x:\\/\\"é漢😀\\r\\n';
		const frames = [
			`{ "offer" : {"sdp":"${sdp}",\n\t"type":"offer", "more":[1.0e5,-0,null,true,{}]},  "to":"${b.name}" , "from":"${a.name}","type":"offer","extra":"kept"}`,
			`{"type":"answer","from":"${a.name}","to":"${b.name}","answer":{"type":"answer","sdp":"${sdp}"}}`,
			`{"type":"ice-candidate","from":"${a.name}","to":"${b.name}","candidate":{"candidate":"candidate:1 1 udp 1 127.0.0.1 9 typ host","sdpMid":null,"sdpMLineIndex":0}}`,
		];

		for (const frame of frames) a.send(frame);
		for (const frame of frames) assert.equal(await b.nextText((each) => each.from === a.name), frame);
		await closeAll([a, b]);
	});

	it('keeps the order of 1,000 frames sent without waiting for registered', async () => {
		const where = unique('room');
		const b = await join(cluster.url, unique('b'), { room: where });
		const a = await new Agent(unique('a')).open(cluster.url);

		a.send({ type: 'register', agent_id: a.name, room: where });
		for (let n = 0; n < 1000; n++) {
			const kind = [offer, answer, candidate][n % 3];
			a.send(kind(a.name, b.name, `n=${n}`));
		}
		await a.next('registered');
		await until('1,000 frames', () => b.all.filter((text) => text.includes(`"from":"${a.name}"`)).length >= 1000, 20_000);
		const seen = b.all.filter((text) => text.includes(`"from":"${a.name}"`)).map((text) => Number(/n=(\d+)/.exec(text)[1]));
		assert.deepEqual(seen, Array.from({ length: 1000 }, (_, n) => n));
		await closeAll([a, b]);
	});

	it('relays a second offer to the same agent again (the fallback to the relay)', async () => {
		const { agents: [a, b] } = await room(cluster.url, 'a', 'b');

		a.send(offer(a.name, b.name, 'first'));
		a.send(offer(a.name, b.name, 'first'));
		assert.equal((await b.next('offer')).offer.sdp, 'first');
		assert.equal((await b.next('offer')).offer.sdp, 'first');
		await closeAll([a, b]);
	});

	it('answers an offer or answer to an unknown agent with its name, and drops a candidate silently', async () => {
		const { agents: [a] } = await room(cluster.url, 'a');

		a.send(candidate(a.name, 'nobody', 'x'));
		a.send(offer(a.name, 'B', 'x'));
		a.send(answer(a.name, 'C', 'x'));
		const first = await a.next('error');
		assert.equal(first.message, 'Agent B not found');
		assert.equal(first.code, 'AGENT_NOT_FOUND');
		assert.equal((await a.next('error')).message, 'Agent C not found');
		await sleep(100);
		assert.deepEqual(a.frames, []);
		await a.close();
	});

	it('takes the longest agent_id, and UTF-8, and gives a name free when its agent has gone', async () => {
		for (const name of ['x'.repeat(256), 'é'.repeat(128), '漢字 😀', ' "quoted\\" \' ; DROP TABLE event; -- %n%s']) {
			for (let turn = 0; turn < 2; turn++) {
				const a = await join(cluster.url, name, { room: 'names' });
				assert.equal(a.registered.agent_id, name);
				await a.close();
				await until('the name to be free', async () => {
					const page = await (await fetch(`${cluster.http}agents`)).text();
					return !page.includes(JSON.stringify(name));
				});
			}
		}
	});

	describe('refuses, and keeps the connection', () => {
		const register = (agent_id, more = {}) => JSON.stringify({ type: 'register', agent_id, ...more });
		const rows = [
			['what is not JSON', 'nonsense'],
			['JSON that ends early', '{"type":"register"'],
			['two JSON values in a frame', '{"type":"register","agent_id":"x"} {}'],
			['a JSON array', '[]'],
			['a JSON string', '"register"'],
			['null', 'null'],
			['an empty frame', ''],
			['an object without type', '{}'],
			['an unknown type', '{"type":"teapot"}'],
			['a type that is a number', '{"type":1}'],
			['30,000 brackets', '['.repeat(30_000)],
			['a register without agent_id', '{"type":"register"}'],
			['a register with a number', register(7)],
			['a register with null', register(null)],
			['a register with a list', register(['a'])],
			['an empty agent_id', register('')],
			['an agent_id of 257 bytes', register('x'.repeat(257))],
			['an agent_id of 129 characters in 258 bytes', register('é'.repeat(129))],
			['an agent_id with NUL', register('a\u0000b')],
			['an agent_id with a line feed', register('a\nb')],
			['an agent_id with an escape sequence', register('a\u001b[31mb')],
			['an agent_id with DEL', register('a\u007fb')],
			['an agent_id with half a surrogate', '{"type":"register","agent_id":"\\ud800"}'],
			['a room that is a number', register('ok', { room: 1 })],
			['a room with a control character', register('ok', { room: 'a\u0007' })],
			['a room of 257 bytes', register('ok', { room: 'x'.repeat(257) })],
		];
		for (const [what, frame] of rows) {
			it(what, async () => {
				const a = await new Agent(unique('r')).open(cluster.url);
				a.send(frame);
				const error = await a.next('error');
				assert.equal(typeof error.message, 'string');
				assert.equal(typeof error.code, 'string');
				await a.register();
				await a.close();
			});
		}

		const signals = [
			['an offer before register', (a, b) => offer(a, b, 'x'), { registered: false, code: 'NOT_REGISTERED' }],
			['an offer without from', (a, b) => ({ type: 'offer', to: b, offer: {} })],
			['an offer from somebody else', (a, b) => offer(b, b, 'x'), { code: 'SPOOFED_FROM' }],
			['an answer from somebody else', (a, b) => answer(b, b, 'x'), { code: 'SPOOFED_FROM' }],
			['a candidate from somebody else', (a, b) => candidate(b, b, 'x'), { code: 'SPOOFED_FROM' }],
			['an offer with a number as from', (a, b) => ({ type: 'offer', from: 1, to: b, offer: {} })],
			['an offer without to', (a) => ({ type: 'offer', from: a, offer: {} })],
			['an offer with a list as to', (a, b) => ({ type: 'offer', from: a, to: [b], offer: {} })],
			['an offer without its offer', (a, b) => ({ type: 'offer', from: a, to: b })],
			['an offer that is text', (a, b) => ({ type: 'offer', from: a, to: b, offer: 'sdp' })],
			['an answer without its answer', (a, b) => ({ type: 'answer', from: a, to: b, offer: {} })],
			['a candidate without its candidate', (a, b) => ({ type: 'ice-candidate', from: a, to: b })],
			['a second register under another name', (a) => ({ type: 'register', agent_id: `${a}x` }), { code: 'ALREADY_REGISTERED' }],
		];
		for (const [what, make, { registered = true, code } = {}] of signals) {
			it(what, async () => {
				const { name, agents: [b] } = await room(cluster.url, 'b');
				const a = await new Agent(unique('a')).open(cluster.url);
				if (registered) await a.register({ room: name });
				a.send(make(a.name, b.name));
				const error = await a.next('error');
				if (code) assert.equal(error.code, code);
				if (!registered) await a.register({ room: name });
				a.send(offer(a.name, b.name, 'after'));
				assert.equal((await b.next('offer')).offer.sdp, 'after');
				assert.ok(!b.all.some((text) => text.includes('"sdp":"x"')));
				await closeAll([a, b]);
			});
		}

		it('a name that is connected (threat_H7): the first one stays', async () => {
			const { name, agents: [a, b] } = await room(cluster.url, 'a', 'b');
			const thief = await new Agent(a.name).open(cluster.url);

			thief.send({ type: 'register', agent_id: a.name, room: name });
			assert.equal((await thief.next('error')).code, 'AGENT_ID_TAKEN');
			b.send(offer(b.name, a.name, 'mine'));
			assert.equal((await a.next('offer')).offer.sdp, 'mine');
			await closeAll([thief, a, b]);
		});
	});

	it('keeps rooms apart', async () => {
		const one = await room(cluster.url, 'a', 'b');
		const two = await room(cluster.url, 'c');
		const [a, b] = one.agents;
		const [c] = two.agents;

		assert.deepEqual(c.registered.connected_agents, []);
		assert.deepEqual(b.registered.connected_agents, [a.name]);
		c.send(offer(c.name, a.name, 'x'));
		assert.equal((await c.next('error')).message, `Agent ${a.name} not found`);
		await c.close();
		await sleep(150);
		assert.ok(!a.all.some((text) => text.includes(c.name)));
		await closeAll([a, b]);
	});

	it('knows the room that is not named as `default`', async () => {
		const a = await join(cluster.url, unique('a'));
		const b = await join(cluster.url, unique('b'), { room: 'default' });

		assert.ok(b.registered.connected_agents.includes(a.name));
		await closeAll([a, b]);
	});

	it('closes with 1009 a frame above the limit (threat_H3), and goes on for the others', async () => {
		const { agents: [a, b] } = await room(cluster.url, 'a', 'b');

		a.send(JSON.stringify(offer(a.name, b.name, 'x'.repeat(70_000))));
		await until('the close', () => a.closed);
		assert.equal(a.closed.code, 1009);
		assert.equal((await b.next('agent-left')).agent_id, a.name);
		await b.close();
	});

	it('answers a bad upgrade with a refusal (threat_H1)', async () => {
		const rows = [
			['no key', 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n'],
			['not HTTP', '\r\n\r\n\0\0\0\0=nonsense\r\n\r\n'],
			['a header of 1 MB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(1 << 20)}\r\n\r\n`],
		];
		for (const [what, bytes] of rows) {
			const said = await new Promise((resolve) => {
				let text = '';
				const socket = net.connect(cluster.ports.ws, '127.0.0.1', () => socket.write(bytes));
				socket.setTimeout(1_000, () => socket.destroy());
				socket.on('data', (data) => { text += data; });
				socket.on('error', () => {});
				socket.on('close', () => resolve(text));
			});
			assert.ok(!/^HTTP\/1\.1 101/.test(said), `${what}: ${said.slice(0, 80)}`);
		}
		await (await join(cluster.url, unique('after'))).close();
	});

	it('serves /, /health, /ready, /agents and /connections', async () => {
		const { agents: [a, b] } = await room(cluster.url, 'page', 'page');
		const page = async (name) => {
			const reply = await fetch(cluster.http + name);
			return { status: reply.status, text: await reply.text() };
		};

		for (const name of ['', 'health', 'ready', 'agents', 'connections']) assert.equal((await page(name)).status, 200, name);
		const agents = await page('agents');
		JSON.parse(agents.text);
		assert.ok(agents.text.includes(a.name) && agents.text.includes(b.name), agents.text);
		JSON.parse((await page('connections')).text);
		assert.equal((await page('no-such-page')).status, 404);
		await closeAll([a, b]);
		await until('the agents to be gone', async () => !(await page('agents')).text.includes(a.name));
	});

	it('works with wscat, as a newcomer tries it', async () => {
		const wscat = spawn(path.join(here, 'node_modules/.bin/wscat'),
			['-c', cluster.url, '-w', '60', '-x', '{"type":"register","agent_id":"newcomer"}'], { stdio: ['pipe', 'pipe', 'inherit'] });
		let text = '';
		wscat.stdout.setEncoding('utf8').on('data', (more) => { text += more; });
		try {
			await until('its answer', () => /"type":\s*"registered"/.test(text) && /"connected_agents"/.test(text));
		} finally {
			wscat.kill();
		}
	});
});

describe('signaling over two gateways', () => {
	let cluster;
	before(async () => { cluster = await start('gateways', { gateways: 2 }); });
	after(() => cluster?.close());

	it('lets agents of both meet', async () => {
		const agents = [];
		for (let n = 0; n < 16; n++) agents.push(await join(cluster.url, `agent-${n}`));

		agents.forEach((agent, n) => assert.equal(agent.registered.connected_agents.length, n));
		for (const from of agents) for (const to of agents) if (from !== to) from.send(offer(from.name, to.name, 'hello'));
		for (const agent of agents) {
			await until(`all offers to ${agent.name}`, () => agent.all.filter((text) => text.includes('"type":"offer"')).length === 15);
		}
		const first = agents.shift();
		await first.close();
		for (const agent of agents) assert.equal((await agent.next('agent-left')).agent_id, first.name);
		await closeAll(agents);
	});

	it('had agents on each', async () => {
		const log = await cluster.log('agent_registered');
		assert.equal(log.length, 16);
		const gateways = new Set(log.map((event) => event.fields.gateway));
		assert.deepEqual([...gateways].sort(), [1, 2]);
	});
});

describe('signaling over TLS', () => {
	let cluster;
	before(async () => {
		cluster = await prepare('tls');
		const directory = path.dirname(cluster.data);
		fs.mkdirSync(directory, { recursive: true });
		const key = path.join(directory, 'key.pem');
		const cert = path.join(directory, 'cert.pem');
		execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
			'-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', cert],
		{ stdio: 'ignore' });
		Object.assign(cluster.options, { 'tls-cert': cert, 'tls-key': key });
		cluster.cert = fs.readFileSync(cert);
		await cluster.up();
	});
	after(() => cluster?.close());

	it('registers and relays, and the certificate is the one given', async () => {
		const options = { ca: cluster.cert, rejectUnauthorized: true };
		const a = await new Agent('a').open(cluster.url, options);
		const b = await new Agent('b').open(cluster.url, options);
		await a.register();
		await b.register();

		a.send(offer('a', 'b', 'sealed'));
		assert.equal((await b.next('offer')).offer.sdp, 'sealed');
		await closeAll([a, b]);
	});

	it('does not serve plain WebSocket on that port', async () => {
		await assert.rejects(new Agent('plain').open(cluster.url.replace('wss', 'ws')));
	});
});
