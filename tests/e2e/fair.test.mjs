// One who floods the relay, from either side, keeps no other from being answered: each gets a turn. The relay sleeps
// while the flood and the others' requests gather in the kernel; then it has to answer the others before the flood's end.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { after, before, describe, it } from 'node:test';
import { start, until } from './lib/cluster.mjs';
import { ATTRIBUTE, CLASS, METHOD, TcpTurnClient, TurnClient, echoPeer, encode } from './lib/turn.mjs';

const binding = () => encode(METHOD.binding, CLASS.request, randomBytes(12), []);

describe('a flood', () => {
	let cluster;
	let relay;
	before(async () => {
		cluster = await start('fair', { 'listening-ip': ['127.0.0.1', '127.0.0.5'], 'turn-tcp': 'yes', 'allowed-peer-ip': '127.0.0.1', 'unauthenticated-rate': 1_000_000 });
		relay = (await cluster.status()).actors.find(({ name }) => name === 'relay-1').pid;
	});
	after(() => cluster?.close());

	async function client(Kind, name, host) {
		const { username, credential: password } = await cluster.credential(name);
		const made = new Kind({ host, port: cluster.ports.turn, username, password });
		await made.ready;
		await made.allocate();
		return made;
	}

	// How many of its own the flooding one had heard when each of the others was answered. It sleeps no longer than it takes to
	// send what is there already: a relay that does not answer for 10 s is taken for dead, by the supervisor and by its actor.
	async function whileAsleep(flood, others, heard) {
		const before = [];
		process.kill(relay, 'SIGSTOP');
		try {
			await flood();
			const asked = others.map((each) => {
				const packet = binding();
				each.on('heard', (reply) => {
					if (reply.subarray(8, 20).equals(packet.subarray(8, 20))) before.push(heard());
				});
				return each.send(packet);
			});
			await Promise.all(asked);
		} finally {
			process.kill(relay, 'SIGCONT');
		}
		await until('the others to be answered', () => before.length === others.length);
		return before;
	}

	// Long datagrams that are read to their end and dropped; in the middle of them one that is answered.
	it('of datagrams from a client', async () => {
		const socket = dgram.createSocket('udp4').unref();
		let heard = 0;
		socket.on('message', () => { heard++; });
		await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
		// At another address: in the same socket all wait for their turn behind the flood.
		const others = [await client(TcpTurnClient, 'over-tcp'), await client(TurnClient, 'elsewhere', '127.0.0.5')];
		const long = encode(METHOD.binding, CLASS.request, randomBytes(12),
			[...Array.from({ length: 300 }, () => [0x8fff, Buffer.alloc(0)]), [ATTRIBUTE.fingerprint, Buffer.alloc(4)]]);
		const send = (packet) => new Promise((resolve) => socket.send(packet, cluster.ports.turn, '127.0.0.1', resolve));
		const packets = Array.from({ length: 2500 }, (_, n) => (n === 1500 ? binding() : long));
		const flood = () => Promise.all(packets.map(send));
		assert.deepEqual(await whileAsleep(flood, others, () => heard), [0, 0]);
		await until('the flood to be served', () => heard === 1);
		socket.close();
		await Promise.all(others.map((each) => each.close()));
	});

	it('of messages over a connection', async () => {
		const count = 100_000;
		const flooding = await client(TcpTurnClient, 'flooding');
		let heard = 0;
		flooding.on('heard', () => { heard++; });
		const others = await Promise.all([client(TurnClient, 'over-udp'), client(TcpTurnClient, 'over-tcp')]);
		const packets = Buffer.concat(Array.from({ length: count }, binding));
		const flood = () => {
			flooding.write(packets);
		};
		// Before its end, not sooner: how far this process has read the one before the other is its own doing too.
		for (const at of await whileAsleep(flood, others, () => heard)) assert.ok(at < count, `after ${at} of ${count}`);
		await Promise.all([flooding, ...others].map((each) => each.close()));
	});

	it('of datagrams from a peer', async () => {
		const count = 4000;
		const peer = await echoPeer();
		const flooded = await client(TurnClient, 'flooded');
		let heard = 0;
		flooded.on('data', () => { heard++; });
		flooded.socket.setRecvBufferSize(4 << 20);
		await flooded.permit(peer);
		const socket = dgram.createSocket('udp4').unref();
		const others = await Promise.all([client(TurnClient, 'over-udp'), client(TcpTurnClient, 'over-tcp')]);
		const send = () => new Promise((resolve) => socket.send('x', flooded.relayed.port, flooded.relayed.address, resolve));
		const flood = () => Promise.all(Array.from({ length: count }, send));
		const before = await whileAsleep(flood, others, () => heard);
		await new Promise((resolve) => socket.close(resolve));
		// No more than the socket's buffer held of them, and the others were not the last.
		await until('the flood to be relayed', async () => {
			const [{ packets_down: all }] = JSON.parse((await cluster.ifswarm('allocations', '--agent', 'flooded', '--json')).out).allocations;
			return all === heard && heard > 200;
		});
		for (const at of before) assert.ok(at < heard, `after ${at} of ${heard}`);
		await Promise.all([flooded, ...others].map((each) => each.close()).concat(peer.close()));
	});
});
