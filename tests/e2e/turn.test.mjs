// STUN and TURN as coturn's own tools and a small client of ours see them, and what the log says of it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import os from 'node:os';
import { after, before, describe, it } from 'node:test';
import { run, start, until } from './lib/cluster.mjs';
import { ATTRIBUTE, CLASS, METHOD, TcpTurnClient, TurnClient, echoPeer, encode } from './lib/turn.mjs';

const hasIpv6 = Object.values(os.networkInterfaces()).flat().some((each) => each.address === '::1');

async function client(cluster, name, { host, password } = {}) {
	const credential = await cluster.credential(name);
	const made = new TurnClient({
		host, port: cluster.ports.turn, username: credential.username, password: password ?? credential.credential,
	});
	await made.ready;
	return made;
}

describe('TURN', () => {
	let cluster;
	let credential;
	before(async () => {
		cluster = await start('turn', { 'allowed-peer-ip': ['127.0.0.1', '::1'], 'user-quota': 20 });
		credential = await cluster.credential('tool');
	});
	after(() => cluster?.close());

	it('gives out credentials as scripts expect them', () => {
		assert.ok(credential.urls.some((url) => url.startsWith('turn:')));
		assert.match(credential.username, /^[0-9]+:.*tool/);
		assert.ok(credential.credential.length >= 20);
		assert.ok(credential.expires > Date.now() / 1000 && credential.expires < Date.now() / 1000 + 10 * 86_400);
	});

	it('answers a Binding without credentials (turnutils_stunclient)', async () => {
		const result = await run('turnutils_stunclient', ['-p', String(cluster.ports.turn), '127.0.0.1']);
		assert.equal(result.code, 0);
		assert.match(result.text, /reflexive addr: 127\.0\.0\.1:\d+/);
	});

	it('refuses a wrong password and an unknown user (threat_C5), an expired and an endless one (threat_C11)', async () => {
		const past = Math.floor(Date.now() / 1000) - 10;
		const rows = [
			['wrong password', credential.username, 'wrong'],
			['unknown user', 'nobody', credential.credential],
			['expired', `${past}:tool`, credential.credential],
			['no expiry', ':tool', credential.credential],
			['negative', '-1:tool', credential.credential],
			['20 digits', `${'9'.repeat(20)}:tool`, credential.credential],
		];
		for (const [what, username, password] of rows) {
			const made = new TurnClient({ port: cluster.ports.turn, username, password });
			await assert.rejects(made.allocate(), (error) => error.code === 401, what);
			await made.close();
		}
		const tool = await run('turnutils_uclient', ['-c', '-u', credential.username, '-w', 'wrong', '-p', String(cluster.ports.turn),
			'-e', '127.0.0.1', '-r', '9', '127.0.0.1']);
		assert.notEqual(tool.code, 0);
		assert.match(tool.text, /Cannot complete Allocation/);
	});

	it('answers the first Allocate with 401, a realm and a nonce, in few bytes and without state (threat_C1, threat_E1)', async () => {
		const made = await client(cluster, 'first');
		const packet = encode(METHOD.allocate, CLASS.request, randomBytes(12),
			[[ATTRIBUTE.requestedTransport, Buffer.from([17, 0, 0, 0])]]);
		const reply = await made.transact(packet);

		assert.equal(reply.code, 401);
		assert.ok(reply.get(ATTRIBUTE.realm) && reply.get(ATTRIBUTE.nonce));
		assert.equal(reply.get(ATTRIBUTE.software), undefined);
		assert.ok(reply.packet.length <= 3.6 * packet.length, `${reply.packet.length} bytes for ${packet.length}`);
		await made.close();
	});

	it('walks an allocation through its life', async () => {
		const made = await client(cluster, 'life');
		await made.allocate();

		assert.equal(made.relayed.address, '127.0.0.1');
		assert.ok(made.relayed.port >= cluster.ports.min && made.relayed.port <= cluster.ports.max);
		assert.deepEqual(made.mapped, { address: '127.0.0.1', port: made.socket.address().port });
		assert.equal(made.lifetime, 600);
		assert.equal(await made.refresh(0xffffffff), 3600); // threat_D7
		await assert.rejects(made.allocate(), (error) => error.code === 437); // threat_F2
		assert.equal(await made.refresh(0), 0);
		await assert.rejects(made.refresh(600), (error) => error.code === 437); // threat_F6
		await made.close();
	});

	it('drops what it never permitted, and delivers from another port of a permitted host (threat_F8, threat_F9)', async () => {
		const made = await client(cluster, 'permission');
		const peer = await echoPeer();
		const stranger = dgram.createSocket('udp4').unref();
		const got = [];
		made.on('data', (payload, from) => got.push({ payload: payload.toString(), from }));
		await made.allocate();
		await new Promise((resolve) => stranger.bind(0, '127.0.0.1', resolve));

		// What comes behind them on the same sockets is heard, and they are not.
		const say = (text) => new Promise((resolve) => stranger.send(text, made.relayed.port, '127.0.0.1', resolve));
		await made.sendIndication(peer, Buffer.from('too early'));
		await made.binding();
		await say('not permitted');
		await made.permit(peer);
		await say('permitted');
		await until('the data', () => got.length > 0);
		assert.equal(peer.received, 0);
		assert.deepEqual(got.map(({ payload }) => payload), ['permitted']);
		assert.equal(got[0].from.peer.port, stranger.address().port);
		stranger.close();
		await Promise.all([made.refresh(0).then(() => made.close()), peer.close()]);
	});

	it('refuses the peers it must, each by its own answer', async () => {
		const made = await client(cluster, 'peers');
		await made.allocate();

		const denied = ['0.0.0.0', '10.0.0.1', '169.254.169.254', '192.168.1.1', '100.64.0.1', '224.0.0.1', '255.255.255.255'];
		for (const address of denied) {
			await assert.rejects(made.permit({ address }), (error) => error.code === 403, address); // threat_B5, threat_B6
			await assert.rejects(made.bindChannel(0x4001, { address, port: 9 }), (error) => error.code === 403, address);
		}
		await assert.rejects(made.bindChannel(0x4001, { address: '127.0.0.1', port: cluster.ports.turn }),
			(error) => error.code === 403, 'its own listener'); // threat_B8
		await assert.rejects(made.permit({ address: '::1' }), (error) => error.code === 443); // threat_B16
		await assert.rejects(made.permit({ address: '127.0.0.1' }, { address: '10.0.0.1' }), (error) => error.code === 403); // threat_B13
		await assert.rejects(made.bindChannel(0x5000, { address: '127.0.0.1', port: 9 }), (error) => error.code === 400); // threat_F7
		await made.bindChannel(0x4000, { address: '127.0.0.1', port: 9 });
		await assert.rejects(made.bindChannel(0x4000, { address: '127.0.0.1', port: 10 }), (error) => error.code === 400);
		await assert.rejects(made.bindChannel(0x4001, { address: '127.0.0.1', port: 9 }), (error) => error.code === 400);
		await made.refresh(0);
		await made.close();
	});

	it('gives one user no more than its quota, and gives it back (threat_D5)', async () => {
		const shared = await cluster.credential('quota');
		const clients = Array.from({ length: 24 }, () =>
			new TurnClient({ port: cluster.ports.turn, username: shared.username, password: shared.credential }));
		const results = await Promise.allSettled(clients.map((each) => each.allocate()));

		const refused = results.filter((each) => each.status === 'rejected');
		assert.equal(refused.length, 4);
		for (const each of refused) assert.equal(each.reason.code, 486);
		await Promise.all(clients.filter((each) => each.relayed).map((each) => each.refresh(0)));
		const again = await Promise.allSettled(clients.slice(0, 20).map((each) => each.allocate()));
		assert.ok(again.every((each) => each.status === 'fulfilled'), again.find((each) => each.reason)?.reason);
		await Promise.all(clients.slice(0, 20).map((each) => each.refresh(0)));
		await Promise.all(clients.map((each) => each.close()));
	});

	it('logs exactly what was relayed', async () => {
		const made = await client(cluster, 'exact');
		const peer = await echoPeer();
		let back = 0;
		made.on('data', () => { back++; });
		await made.allocate();
		await made.bindChannel(0x4000, peer);
		for (let n = 0; n < 300; n++) {
			if (n % 3 === 0) await made.sendIndication(peer, Buffer.alloc(173, n));
			else await made.sendChannel(0x4000, Buffer.alloc(173, n));
			if (n % 50 === 49) await until(`${n + 1} echoes`, () => back === n + 1); // no more than the sockets' buffers hold
		}
		await made.refresh(0);
		await made.close();
		await peer.close();

		const ended = (await until('the end in the log', async () =>
			(await cluster.log('turn_allocation_ended')).find((event) => event.fields.packets_up === 300))).fields;
		assert.equal(ended.bytes_up, 300 * 173);
		assert.equal(ended.packets_down, 300);
		assert.equal(ended.bytes_down, 300 * 173);
		assert.equal(ended.never_used, 0);
	});

	it('says no word to datagrams that are neither STUN nor a channel of theirs (threat_A1, threat_A2, threat_A3, threat_A6, threat_A7, threat_A16, threat_A17, threat_E6)', async () => {
		const socket = dgram.createSocket('udp4').unref();
		let answers = 0;
		let last;
		socket.on('message', (packet) => {
			answers++;
			last = packet;
		});
		const stun = encode(METHOD.binding, CLASS.request, randomBytes(12), []);
		const edit = (change) => {
			const copy = Buffer.from(stun);
			change(copy);
			return copy;
		};
		const wrongFingerprint = encode(METHOD.binding, CLASS.request, randomBytes(12), [[ATTRIBUTE.fingerprint, Buffer.alloc(4)]]);
		const junk = [
			...[1, 2, 3, 19].map((size) => stun.subarray(0, size)),
			edit((copy) => copy.writeUInt16BE(4, 2)), edit((copy) => copy.writeUInt16BE(2, 2)), edit((copy) => copy.writeUInt16BE(65_532, 2)),
			edit((copy) => copy.writeUInt32BE(0x2112a443, 4)), edit((copy) => { copy[0] |= 0x80; }), edit((copy) => { copy[0] |= 0xc0; }),
			wrongFingerprint, encode(METHOD.binding, CLASS.error, randomBytes(12), []), encode(METHOD.binding, CLASS.success, randomBytes(12), []),
			Buffer.from([0x3f, 0xff, 0, 0]), Buffer.from([0x40, 0, 0, 0]), Buffer.from([0x50, 0, 0, 0]), Buffer.from([0x7f, 0xff, 0, 0]),
			Buffer.from([0x80, 0, 0, 0]), Buffer.from([0x40, 0, 0xff, 0xff]),
		];
		for (const packet of junk) socket.send(packet, cluster.ports.turn, '127.0.0.1');
		for (let n = 0; n < 500; n++) socket.send(randomBytes(1 + (n % 200)), cluster.ports.turn, '127.0.0.1');
		const behind = encode(METHOD.binding, CLASS.request, randomBytes(12), []);
		await until('the answer to what came behind them', () => {
			socket.send(behind, cluster.ports.turn, '127.0.0.1');
			return answers > 0;
		});
		assert.deepEqual(last.subarray(8, 20), behind.subarray(8, 20));
		socket.close();
		const made = await client(cluster, 'after');
		assert.equal((await made.binding()).address, '127.0.0.1');
		await made.close();
	});
});

describe('TURN over TCP', { concurrency: 2 }, () => {
	let cluster;
	before(async () => { cluster = await start('tcp', { 'turn-tcp': 'yes', 'allowed-peer-ip': ['127.0.0.1', '::1'] }); });
	after(() => cluster?.close());

	async function tcpClient(name, more = {}) {
		const { username, credential: password } = await cluster.credential(name);
		const made = new TcpTurnClient({ port: cluster.ports.turn, username, password, ...more });
		await made.ready;
		return made;
	}

	it('is told to clients', async () => {
		const { urls } = await cluster.credential('told');
		assert.ok(urls.some((url) => url.endsWith(`:${cluster.ports.turn}?transport=tcp`)), String(urls));
	});

	it('takes one byte at a time, and several messages at once (threat_F13)', async () => {
		const made = await tcpClient('slow', { cut: 1 });
		const echo = await echoPeer();
		const heard = [];
		made.on('data', (payload) => heard.push(payload.toString()));
		await made.allocate();
		await made.bindChannel(0x4000, echo);
		made.cut = 0;
		const data = (text) => Buffer.concat([Buffer.from([0x40, 0, 0, text.length]), Buffer.from(text.padEnd(8, '\0'))]);
		await made.write(Buffer.concat([data('one__'), data('two___'), data('three__'), data('four____').subarray(0, 7)]));
		await until('three echoes', () => heard.length === 3);
		await made.write(data('four____').subarray(7));
		await until('the fourth', () => heard.length === 4);
		assert.deepEqual(heard.sort(), ['four____', 'one__', 'three__', 'two___']);
		await Promise.all([made.close(), echo.close()]);
	});

	it('closes a stream that is none of ours, and nobody else (threat_A3, threat_A4, threat_A17, threat_G2)', async () => {
		const held = await tcpClient('held');
		await held.allocate();
		for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\r\n\r\n', Buffer.from('160301020001', 'hex'), Buffer.from('00030002', 'hex'),
			Buffer.from('0003ffec2112a442', 'hex'), Buffer.from('0003ffff', 'hex'), Buffer.from('80', 'hex'), Buffer.from('4000ffff', 'hex')]) {
			const made = await tcpClient('stranger');
			await made.write(bytes);
			await made.closed;
		}
		assert.equal(await held.refresh(600), 600);
		await held.close();
	});

	it('ends the allocation with the connection, and says so in the log (threat_D12)', async () => {
		const made = await tcpClient('leaver');
		await made.allocate();
		await made.close();
		const said = async () => (await cluster.ifreplay('agent', 'leaver')).out;
		await until('the end in the log', async () => /client gone/.test(await said()));
		const transports = (await cluster.log('turn_allocation_created')).map(({ fields }) => fields.client_transport);
		assert.ok(transports.length > 0 && transports.every((each) => each === 1), String(transports));
	});
});

describe('TURN over TCP, started again', () => {
	let cluster;
	before(async () => { cluster = await start('again', { 'turn-tcp': 'yes' }); });
	after(() => cluster?.close());

	// Who closes a connection first keeps its address for a minute (TIME-WAIT): that must not be in the way.
	it('listens at once where it has just closed connections', async () => {
		for (let n = 0; n < 3; n++) {
			const made = new TcpTurnClient({ port: cluster.ports.turn });
			await made.ready;
			await made.raw(Buffer.from([0x80]));
			await made.closed;
		}
		await cluster.stop();
		await cluster.up();
		const made = new TcpTurnClient({ port: cluster.ports.turn });
		await made.ready;
		assert.equal((await made.binding()).address, '127.0.0.1');
		await made.close();
	});
});

describe('TURN without an allowed range', () => {
	let cluster;
	before(async () => { cluster = await start('denied'); });
	after(() => cluster?.close());

	it('denies the loopback as a peer, also inside IPv6, and logs the refusal (threat_B1, threat_B2, threat_B3)', async () => {
		const made = await client(cluster, 'loop');
		await made.allocate();
		const peer = await echoPeer();
		for (const denied of [peer, { address: '127.255.255.254', port: 0 }, { address: '0.0.0.0', port: 9 }]) {
			await assert.rejects(made.permit(denied), (error) => error.code === 403, denied.address);
		}
		await assert.rejects(made.bindChannel(0x4000, peer), (error) => error.code === 403);

		// This address is also the relay's own, where other relayed ports may be reached (threat_B9), but no other.
		const heard = [];
		made.on('data', (payload) => heard.push(payload.toString()));
		await made.permit({ address: '127.0.0.1' });
		await made.sendIndication(peer, Buffer.from('x'));
		const stranger = dgram.createSocket('udp4').unref();
		await new Promise((resolve) => stranger.send('x', made.relayed.port, '127.0.0.1', resolve));
		await made.sendIndication(made.relayed, Buffer.from('behind them'));
		await until('what is allowed', () => heard.length > 0);
		assert.deepEqual(heard, ['behind them']);
		assert.equal(peer.received, 0);
		stranger.close();
		await peer.close();
		await made.refresh(0);
		await made.close();
		if (hasIpv6) {
			const six = await client(cluster, 'loop', { host: '::1' });
			await six.allocate({ extra: [[ATTRIBUTE.requestedAddressFamily, Buffer.from([2, 0, 0, 0])]] });
			assert.equal(six.relayed.address, '::1');
			for (const address of ['::1', '::', '::ffff:7f00:1', '::ffff:a00:1', '64:ff9b::7f00:1', '2002:7f00:1::', 'fe80::1', 'fd00:ec2::254']) {
				await assert.rejects(six.permit({ address, port: 9 }), (error) => error.code === 403 || error.code === 443, address);
			}
			await six.refresh(0);
			await six.close();
		}
		await until('the refusal in the log', async () =>
			(await cluster.log('turn_request_refused')).length > 0, 15_000);
	});

	it('allows the relayed address of another of its clients (threat_B9)', async () => {
		const a = await client(cluster, 'a');
		const b = await client(cluster, 'b');
		const got = [];
		b.on('data', (payload) => got.push(payload.toString()));
		await a.allocate();
		await b.allocate();
		await a.bindChannel(0x4000, b.relayed);
		await b.bindChannel(0x4000, a.relayed);
		await a.sendChannel(0x4000, Buffer.from('across'));
		await until('it to arrive', () => got.length === 1);
		assert.equal(got[0], 'across');
		await Promise.all([a.refresh(0), b.refresh(0)]);
		await Promise.all([a.close(), b.close()]);
	});
});

describe('TURN over two relays', () => {
	let cluster;
	before(async () => { cluster = await start('relays', { relays: 2, 'allowed-peer-ip': '127.0.0.1' }); });
	after(() => cluster?.close());

	it('serves twenty clients at once, on both', async () => {
		const peer = await echoPeer();
		const clients = await Promise.all(Array.from({ length: 20 }, (_, n) => client(cluster, `user-${n}`)));
		const counts = clients.map(() => 0);
		clients.forEach((each, n) => each.on('data', () => { counts[n]++; }));
		await Promise.all(clients.map((each) => each.allocate()));
		await Promise.all(clients.map((each) => each.bindChannel(0x4000, peer)));
		assert.equal(new Set(clients.map((each) => each.relayed.port)).size, 20);
		for (let n = 0; n < 50; n++) {
			for (const each of clients) await each.sendChannel(0x4000, randomBytes(100));
			await until('its echoes', () => counts.every((count) => count === n + 1));
		}
		await Promise.all(clients.map((each) => each.refresh(0)));
		await Promise.all([...clients.map((each) => each.close()), peer.close()]);

		const created = await cluster.log('turn_allocation_created');
		assert.deepEqual([...new Set(created.map((event) => event.fields.relay))].sort(), [1, 2]);
	});
});
