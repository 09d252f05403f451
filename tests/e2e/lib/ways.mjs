// Every way into one server, and the words in which a row of bad input says what it gets (tests/e2e/rows/). A row is
//   { row: 'A8', what: 'an attribute that …', over: [...], run: async (way) => { … } }
// and runs once over each transport in `over`, with a `way` of that transport. ofIpv6: only where there is some.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { patience, start, temporary, until } from './cluster.mjs';
import { authority } from './certificates.mjs';
import { DtlsTurnClient } from './dtls.mjs';
import { ATTRIBUTE, CLASS, METHOD, TcpTurnClient, TurnClient, encode, encodeAddress } from './turn.mjs';

export const DATAGRAMS = ['udp', 'dtls'];
export const STREAMS = ['tcp', 'tls'];
export const ALL = ['udp', 'tcp', 'tls', 'dtls'];
export const hasIpv6 = Object.values(os.networkInterfaces()).flat().some((each) => each.address === '::1');

// The name under which a row stands in the test's report, and in docs/threats.md.
export const nameOf = (row, transport) => `threat_${row.row} ${row.what}, over ${transport}`;

const SECRET = 'of the bad input tests';

// What `ifswarm credential` gives out, without a process for each.
export function credentialOf(name, expires = Math.floor(Date.now() / 1000) + 3600) {
	const username = `${expires}:${name}`;
	return { username, password: createHmac('sha1', SECRET).update(username).digest('base64') };
}

export const USER = { username: 'bob', password: 'of a static user' };

const TRANSPORT_UDP = [ATTRIBUTE.requestedTransport, Buffer.from([17, 0, 0, 0])];
const TRANSPORT_TCP = [ATTRIBUTE.requestedTransport, Buffer.from([6, 0, 0, 0])];
export { TRANSPORT_TCP, TRANSPORT_UDP };

let names = 0;

class Way {
	constructor(server, transport, place) {
		Object.assign(this, { server, transport, isStream: STREAMS.includes(transport) });
		this.cluster = server.cluster;
		// Sources of their own: what strangers are told is limited for each.
		this.local = `127.0.1.${place + 1}`;
		this.six = '::1';
	}

	get port() { return ['tls', 'dtls'].includes(this.transport) ? this.cluster.ports.turns : this.cluster.ports.turn; }

	// The same server in another way, from the same source.
	over(transport) { return Object.assign(new Way(this.server, transport, 0), { local: this.local }); }

	// A client of a user of its own, or as `more` says.
	async client(more = {}) {
		const options = {
			host: this.server.address, local: this.local, port: this.port, ...credentialOf(more.name ?? `user-${names++}`), ...more,
		};
		const made = this.transport === 'dtls' ? new DtlsTurnClient(options)
			: this.isStream ? new TcpTurnClient({ ...options, secure: this.transport === 'tls' && { rejectUnauthorized: false } })
				: new TurnClient(options);
		await made.ready;
		made.agent = made.username.replace(/^\d+:/, '');
		const close = made.close.bind(made);
		made.close = () => {
			this.server.clients.delete(made);
			return close();
		};
		this.server.clients.add(made);
		return made;
	}

	// One that holds an allocation; both families where there are two.
	async allocated(more = {}) {
		const made = await this.client(more);
		await made.allocate({ extra: more.extra ?? [] });
		return made;
	}

	// None of these gets a word: what comes behind them on the same way is answered, and nothing else is. `reason`: how
	// the server counts them.
	async silent(client, packets, reason = 'not_stun') {
		const heard = [];
		const note = (packet) => heard.push(packet);
		client.on('heard', note);
		for (const packet of packets) await client.raw(packet);
		await client.binding();
		client.off('heard', note);
		// An earlier request that was sent twice may be answered twice.
		for (const packet of heard) assert.ok(client.asked.has(packet.toString('hex', 8, 20)), `an answer: ${packet.toString('hex')}`);
		this.server.expect(`dropped_total ${reason}`, packets.length);
	}

	// The server ends such a connection without a word, and no other.
	async ends(bytes) {
		const other = await this.client();
		const client = await this.client();
		const heard = [];
		client.on('heard', (packet) => heard.push(packet));
		await client.raw(bytes);
		await client.closed;
		assert.deepEqual(heard, []);
		assert.ok((await other.binding()).port > 0);
		await Promise.all([client.close(), other.close()]);
	}

	// Bytes that no message can begin with: dropped as a datagram, the end of a stream.
	async noMessage(...all) {
		if (this.isStream) {
			for (const bytes of all) await this.ends(bytes);
			return;
		}
		const client = await this.client();
		await this.silent(client, all);
		await client.close();
	}

	// That code, and counted so.
	async refused(code, asked, what) {
		await assert.rejects(asked, (error) => {
			assert.equal(error.code, code, `${what ?? ''}: ${error.message}`);
			return true;
		}, String(what ?? code));
		this.server.expect(`refused_total ${code}`, 1);
	}

	// An authenticated request with these attributes: its reply, or a TurnError.
	ask(client, method, attributes) { return client.request(String(method), method, () => attributes); }

	// One without credentials, as it is: whatever is answered.
	async asStranger(client, method, attributes, kind = CLASS.request) {
		return client.transact(encode(method, kind, randomBytes(12), attributes));
	}
}

// A cluster that is reached in every way, at 127.0.0.4. Its relayed addresses are 127.0.0.2 and ::1; only peers of
// 127.0.3.0/24 and its own address are allowed by a rule.
class Server {
	constructor() {
		this.clients = new Set();
		this.expected = new Map();
		this.address = '127.0.0.4';
		this.peer = '127.0.3.1';
	}

	async start(options, relayed) {
		this.directory = temporary('ways');
		const { cert, key } = await (await authority(this.directory)).issue('ways', { hosts: `IP:${this.address}` });
		const config = path.join(this.directory, 'ifswarm.conf');
		fs.writeFileSync(config, `user = ${USER.username}:${USER.password}\n`, { mode: 0o600 });
		this.cluster = await start('ways', {
			config, host: this.address, 'listening-ip': [this.address, ...(hasIpv6 ? ['::1'] : [])],
			'relay-ip': ['127.0.0.2', ...(hasIpv6 ? ['::1'] : [])], 'allowed-peer-ip': ['127.0.3.0/24', this.address],
			'turn-tcp': 'yes', cert, pkey: key, ...options,
		}, { env: { TURN_AUTH_SECRET: SECRET }, relayed });
	}

	async close() {
		await Promise.allSettled([...this.clients].map((each) => each.close()));
		await this.cluster?.close();
		fs.rmSync(this.directory, { recursive: true, force: true });
	}

	expect(metric, count) { this.expected.set(metric, (this.expected.get(metric) ?? 0) + count); }

	async allocations() {
		const { code, out, err } = await this.cluster.ifswarm('allocations', '--json');
		assert.equal(code, 0, err);
		return JSON.parse(out).allocations;
	}

	// { 'dropped_total not_stun': n, 'refused_total 403': n, … }, summed over relays and reasons of one code.
	async metrics() {
		const page = await (await fetch(`http://${this.address}:${this.cluster.ports.ws}/metrics`)).text();
		const found = {};
		for (const [, name, labels, value] of page.matchAll(/^ifswarm_turn_(dropped_total|refused_total|challenges_total)\{(.*)\} (\d+)$/gm)) {
			const which = /(?:code|reason)="([^"]*)"/.exec(labels)?.[1] ?? '';
			found[`${name} ${which}`] = (found[`${name} ${which}`] ?? 0) + Number(value);
		}
		return found;
	}
}

// The table as tests: one suite for each transport, all against one server with so many relayed ports.
export function tellRows(title, rows, options = {}, relayed = 700) {
	describe(title, () => {
		const server = new Server();
		before(() => server.start(options, relayed));
		after(() => server.close());

		describe('row by row', { concurrency: ALL.length }, () => {
			ALL.forEach((transport, place) => describe(`over ${transport}`, () => {
				let way;
				before(() => { way = new Way(server, transport, place); });
				for (const row of rows.filter(({ over }) => over.includes(transport))) {
					it(nameOf(row, transport), { timeout: 60_000 * patience, skip: row.ofIpv6 && !hasIpv6 && 'no ::1 here' }, () => server.cluster.telling(() => row.run(way)));
				}
			}));
		});

		it('has counted every refusal by its reason, and kept nothing', async () => {
			const wanted = [...server.expected];
			assert.ok(wanted.length > 0);
			await until('the counts', async () => {
				const counted = await server.metrics();
				for (const [metric, least] of wanted) {
					assert.ok((counted[metric] ?? 0) >= least, `${metric}: ${counted[metric]}, expected ${least}`);
				}
				return true;
			});
			await Promise.all([...server.clients].map((each) => each.relayed && each.refresh(0).catch(() => {})));
			await Promise.all([...server.clients].map((each) => each.close()));
			await until('no allocation', async () => (await server.allocations()).length === 0);
		});
	});
}

// A Send indication, with whatever attributes stand behind its peer and data.
export function sendTo(peer, payload, extra = []) {
	const transaction = randomBytes(12);
	return encode(METHOD.send, CLASS.indication, transaction, [
		[ATTRIBUTE.xorPeerAddress, encodeAddress(peer, transaction)], [ATTRIBUTE.data, Buffer.from(payload)], ...extra,
	]);
}
