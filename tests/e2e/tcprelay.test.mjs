// TCP allocations (RFC 6062): coturn's client, and one of ours with peers of ours, over TCP and TLS.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { start, temporary, until } from './lib/cluster.mjs';
import { authority } from './lib/certificates.mjs';
import { TcpTurnClient, TurnClient, echoPeer } from './lib/turn.mjs';

const LARGE = 8 << 20; // more than all buffers on the way

// A peer that listens: { address, port, connections, close }; echo: it sends back what it hears.
async function listener({ echo = false } = {}) {
	const connections = [];
	const server = net.createServer({ allowHalfOpen: true }, (socket) => {
		connections.push(socket);
		socket.on('error', () => {});
		socket.unref();
		if (echo) socket.pipe(socket);
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	server.unref();
	return {
		address: '127.0.0.1', port: server.address().port, connections,
		close: () => new Promise((resolve) => { connections.forEach((each) => each.destroy()); server.close(resolve); }),
	};
}

const drained = (emitter, name, count) => new Promise((resolve) => {
	const hash = createHash('sha256');
	let got = 0;
	emitter.on(name, (bytes) => {
		hash.update(bytes);
		got += bytes.length;
		if (got >= count) resolve({ got, digest: hash.digest('hex') });
	});
});

const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

describe('TCP allocations', () => {
	let cluster;
	const directory = temporary('certificates');
	before(async () => {
		const served = await (await authority(directory)).issue('relay');
		cluster = await start('tcprelay', {
			'turn-tcp': 'yes', 'allowed-peer-ip': ['127.0.0.1'], cert: served.cert, pkey: served.key, 'user-quota': 50,
		}, { relayed: 3000 });
	});
	after(async () => {
		await cluster?.close();
		fs.rmSync(directory, { recursive: true, force: true });
	});

	async function client(name, more = {}) {
		const { username, credential: password } = await cluster.credential(name);
		const made = new TcpTurnClient({ port: more.secure ? cluster.ports.turns : cluster.ports.turn, username, password, ...more });
		await made.ready;
		return made;
	}

	// [control, data]: connected to that peer, and bound.
	async function through(name, peer, more) {
		const control = await client(name, more);
		await control.allocate({ transport: 6 });
		const id = await control.connect(peer);
		const data = await client(name, more);
		await data.connectionBind(id);
		return [control, data];
	}

	it('is for who comes over TCP or TLS (threat_F3)', async () => {
		const { username, credential: password } = await cluster.credential('datagrams');
		const made = new TurnClient({ port: cluster.ports.turn, username, password });
		await assert.rejects(made.allocate({ transport: 6 }), (error) => error.code === 442);
		await assert.rejects(made.request('ConnectionBind', 11, () => [[0x002a, randomBytes(4)]]),
			(error) => error.code === 400); // threat_D3
		await made.close();
	});

	for (const [over, more] of [['TCP', {}], ['TLS', { secure: { rejectUnauthorized: false } }]]) {
		it(`carries bytes both ways, however many, and counts them: over ${over}`, async () => {
			const name = `both-${over}`;
			const peer = await listener({ echo: true });
			const [control, data] = await through(name, peer, more);
			const bytes = randomBytes(LARGE);
			const back = drained(data, 'bytes', LARGE);
			data.socket.write(bytes);
			assert.deepEqual(await back, { got: LARGE, digest: digestOf(bytes) });
			await control.refresh(0);
			await data.closed;
			const sums = async () => {
				const created = (await cluster.log('turn_allocation_created')).find(({ fields }) =>
					fields.relayed.endsWith(`:${control.relayed.port}`) && fields.transport === 6);
				return (await cluster.log('turn_allocation_ended')).find(({ fields }) =>
					fields.allocation === created.fields.allocation)?.fields;
			};
			const ended = await until('the sums', sums);
			assert.equal(ended.bytes_up, LARGE);
			assert.equal(ended.bytes_down, LARGE);
			await Promise.all([control.close(), peer.close()]);
		});

		it(`hands on that one side sends no more, and the other goes on: over ${over}`, async () => {
			const peer = await listener();
			const [control, data] = await through(`half-${over}`, peer, more);
			const socket = peer.connections[0];
			const heard = drained(socket, 'data', 5);
			data.socket.end('hello');
			assert.equal((await heard).digest, digestOf(Buffer.from('hello')));
			await until('the end at the peer', () => socket.readableEnded);
			const answer = drained(data, 'bytes', LARGE);
			const bytes = randomBytes(LARGE);
			socket.end(bytes);
			assert.equal((await answer).digest, digestOf(bytes));
			await data.closed;
			const reasons = async () => (await cluster.log('turn_connection_ended')).length > 0;
			await until('the end in the log', reasons);
			await Promise.all([control.close(), peer.close()]);
		});
	}

	it('stops reading a side whose other side does not take it', async () => {
		const peer = await listener();
		const [control, data] = await through('slow', peer);
		const socket = peer.connections[0];
		socket.pause();
		data.socket.write(randomBytes(64 << 20));
		// The client's own socket fills up, since nobody in between takes more than its bound.
		let last = -1;
		await until('it to stand still', async () => {
			const now = data.socket.bytesWritten - data.socket.writableLength;
			const still = now === last;
			last = now;
			await new Promise((resolve) => { setTimeout(resolve, 200); });
			return still;
		});
		assert.ok(data.socket.writableLength > 0, 'it took 64 MiB that nobody read');
		assert.equal(await control.refresh(600), 600);
		await Promise.all([control.close(), data.close(), peer.close()]);
	});

	it('tells of a peer that connects, if it is permitted', async () => {
		const control = await client('attempted');
		await control.allocate({ transport: 6 });
		const stranger = net.connect(control.relayed.port, '127.0.0.1');
		stranger.on('error', () => {});
		await new Promise((resolve) => { stranger.on('close', resolve); });
		const attempts = [];
		control.on('attempt', (id, from) => attempts.push({ id: Buffer.from(id), from }));
		await control.permit({ address: '127.0.0.1' });
		const peer = net.connect(control.relayed.port, '127.0.0.1', () => peer.write('early'));
		await until('the attempt', () => attempts.length === 1);
		assert.equal(attempts[0].from.port, peer.localPort);
		const data = await client('attempted');
		const heard = drained(data, 'bytes', 5);
		await data.connectionBind(attempts[0].id);
		assert.equal((await heard).digest, digestOf(Buffer.from('early')));
		const back = drained(peer, 'data', 4);
		data.socket.write('back');
		assert.equal((await back).got, 4);
		peer.destroy();
		await data.closed;
		const opened = (await cluster.log('turn_connection_opened')).filter(({ fields }) => fields.attempted === 1);
		assert.equal(opened.at(-1).fields.peer, `127.0.0.1:${attempts[0].from.port}`);
		await control.close();
	});

	it('gives a connection to the user whose it is, once (threat_F16)', async () => {
		const peer = await listener();
		const control = await client('owner');
		await control.allocate({ transport: 6 });
		const id = await control.connect(peer);
		await assert.rejects(control.connect(peer), (error) => error.code === 446);
		const thief = await client('thief');
		await assert.rejects(thief.connectionBind(id), (error) => error.code === 400);
		await assert.rejects(thief.connectionBind(randomBytes(4)), (error) => error.code === 400);
		const data = await client('owner');
		await data.connectionBind(id);
		const again = await client('owner');
		await assert.rejects(again.connectionBind(id), (error) => error.code === 400);
		// A connection that was refused one is still good for messages.
		assert.ok((await again.binding()).port > 0);
		await Promise.all([control, thief, data, again, peer].map((each) => each.close()));
	});

	it('refuses a forbidden peer at once, and tells of a closed port no earlier than of a silent one (threat_B15, threat_F16)', async () => {
		const peer = await listener();
		const closed = { address: '127.0.0.1', port: peer.port };
		await peer.close();
		const control = await client('scanner');
		await control.allocate({ transport: 6 });
		await assert.rejects(control.connect({ address: '10.0.0.1', port: 22 }), (error) => error.code === 403);
		await assert.rejects(control.connect({ address: '127.0.0.1', port: cluster.ports.turn }), (error) => error.code === 403);
		const began = Date.now();
		await assert.rejects(control.connect(closed, 60_000), (error) => error.code === 447);
		assert.ok(Date.now() - began >= 29_000, 'a refusal was told early');
		await control.close();
	});

	it('is verified and replayed like everything else', async () => {
		const result = await cluster.ifreplay('verify');
		assert.equal(result.code, 0, result.text);
	});
});

// max-bps: datagrams beyond it are dropped, a stream is held back.
describe('an allocation with a rate', () => {
	const RATE = 200_000;
	const PIECE = 65_536; // what a stream may be read at once
	let cluster;
	before(async () => {
		cluster = await start('rate', { 'turn-tcp': 'yes', 'allowed-peer-ip': ['127.0.0.1'], 'max-bps': RATE });
	});
	after(() => cluster?.close());

	async function client(Kind, name) {
		const { username, credential: password } = await cluster.credential(name);
		const made = new Kind({ port: cluster.ports.turn, username, password });
		await made.ready;
		return made;
	}

	// Each time more came it was no more than a full bucket and what has come into it since.
	function judge() {
		const began = performance.now();
		return (got, piece) => assert.ok(got <= RATE + piece + (RATE * (performance.now() - began)) / 1000, `${got} bytes came too soon`);
	}

	it('loses the datagrams beyond it, and counts them', async () => {
		const COUNT = 600;
		const made = await client(TurnClient, 'datagrams');
		const peer = await echoPeer();
		const dropped = async () => {
			const text = await (await fetch(`${cluster.http}metrics`)).text();
			return [...text.matchAll(/^ifswarm_turn_dropped_total\{[^}]*over_rate[^}]*\} (\d+)/gm)].reduce((sum, [, each]) => sum + Number(each), 0);
		};
		await made.allocate();
		await made.bindChannel(0x4000, peer);
		const check = judge();
		for (let i = 0; i < COUNT; i++) await made.sendChannel(0x4000, randomBytes(1000));
		await until('every datagram to be relayed or dropped', async () => {
			check(peer.received * 1000, 0);
			return peer.received + (await dropped()) >= COUNT;
		});
		assert.ok(peer.received < COUNT, 'nothing was beyond the rate');
		assert.ok(peer.received * 1000 >= RATE - 1000, 'less than a bucketful came');
		await Promise.all([made.close(), peer.close()]);
	});

	it('loses nothing of a TCP connection, and passes on no more of it, up or down', async () => {
		const SIZE = 3 * RATE;
		const peer = await listener();
		const control = await client(TcpTurnClient, 'streams');
		await control.allocate({ transport: 6 });
		const data = await client(TcpTurnClient, 'streams');
		await data.connectionBind(await control.connect(peer));
		const [socket] = peer.connections;
		const sides = [[socket, data, 'bytes'], [data.socket, socket, 'data']];
		await Promise.all(sides.map(async ([from, to, event]) => {
			const bytes = randomBytes(SIZE);
			const check = judge();
			let got = 0;
			to.on(event, (part) => { got += part.length; check(got, PIECE); });
			const whole = drained(to, event, SIZE);
			from.write(bytes);
			assert.deepEqual(await whole, { got: SIZE, digest: digestOf(bytes) });
		}));
		assert.equal(await control.refresh(600), 600);
		await Promise.all([control.close(), data.close(), peer.close()]);
	});
});

// Three relays: the kernel brings all connections of one address to one of them, over TCP and TLS.
describe('TCP allocations of several relays', () => {
	const RELAYS = 3;
	const CLIENTS = 12;
	let cluster;
	const directory = temporary('certificates');
	before(async () => {
		const served = await (await authority(directory)).issue('relay');
		cluster = await start('tcprelays', {
			relays: RELAYS, 'turn-tcp': 'yes', 'allowed-peer-ip': ['127.0.0.1'], cert: served.cert, pkey: served.key,
			'tcp-proxy-from': '127.0.0.1',
		}, { relayed: 3000 });
	});
	after(async () => {
		await cluster?.close();
		fs.rmSync(directory, { recursive: true, force: true });
	});

	const over = { TCP: {}, TLS: { secure: { rejectUnauthorized: false } } };
	async function client(name, more) {
		const { username, credential: password } = await cluster.credential(name);
		const made = new TcpTurnClient({ port: more.secure ? cluster.ports.turns : cluster.ports.turn, username, password, ...more });
		await made.ready;
		return made;
	}

	it('reach the relay of their allocation, wherever they come from', async () => {
		const peer = await listener({ echo: true });
		for (let i = 0; i < CLIENTS; i++) {
			const from = { local: `127.0.0.${10 + i}` };
			const [control, data] = i % 2 === 0 ? [over.TCP, over.TLS] : [over.TLS, over.TCP];
			const name = `several-${i}`;
			const first = await client(name, { ...control, ...from });
			await first.allocate({ transport: 6 });
			const second = await client(name, { ...data, ...from });
			await second.connectionBind(await first.connect(peer));
			const back = drained(second, 'bytes', 5);
			second.socket.write('hello');
			assert.equal((await back).digest, digestOf(Buffer.from('hello')));
			await Promise.all([first.close(), second.close()]);
		}
		await peer.close();
		const relays = new Set((await cluster.log('turn_allocation_created')).map(({ fields }) => fields.relay));
		assert.ok(relays.size > 1, 'one relay had them all: nothing was shown');
	});

	it('are refused behind a proxy, whose address all of them have (threat_F3)', async () => {
		const { username, credential: password } = await cluster.credential('proxied');
		const made = new TcpTurnClient({ port: cluster.ports.proxied, username, password });
		await made.ready;
		made.socket.write(Buffer.from('0d0a0d0a000d0a515549540a2111000ccb00714dc0000201c3500d96', 'hex'));
		await assert.rejects(made.allocate({ transport: 6 }), (error) => error.code === 442);
		assert.ok((await made.allocate()).port > 0);
		await made.close();
	});
});

describe('TCP allocations that are not wanted', () => {
	let cluster;
	before(async () => { cluster = await start('notcp', { 'turn-tcp': 'yes', 'no-tcp-relay': 'yes' }); });
	after(() => cluster?.close());

	it('are refused with 442 (threat_F3)', async () => {
		const { username, credential: password } = await cluster.credential('none');
		const made = new TcpTurnClient({ port: cluster.ports.turn, username, password });
		await made.ready;
		await assert.rejects(made.allocate({ transport: 6 }), (error) => error.code === 442);
		await made.close();
	});
});
