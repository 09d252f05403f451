// One who floods the relay, from either side, keeps no other from being answered: each gets a turn. The relay sleeps
// while the flood and the others' requests gather in the kernel; then it has to answer the others before the flood's end.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { after, before, describe, it } from 'node:test';
import { start, until } from './lib/cluster.mjs';
import { CLASS, METHOD, TcpTurnClient, TurnClient, echoPeer, encode } from './lib/turn.mjs';

const binding = () => encode(METHOD.binding, CLASS.request, randomBytes(12), []);

describe('a flood', () => {
	let cluster;
	let relay;
	before(async () => {
		cluster = await start('fair', { 'turn-tcp': 'yes', 'allowed-peer-ip': '127.0.0.1', 'unauthenticated-rate': 0 });
		relay = (await cluster.status()).actors.find(({ name }) => name === 'relay-1').pid;
	});
	after(() => cluster?.close());

	async function client(Kind, name) {
		const { username, credential: password } = await cluster.credential(name);
		const made = new Kind({ port: cluster.ports.turn, username, password });
		await made.ready;
		await made.allocate();
		return made;
	}

	// How many of its own the flooding one had heard when each of the others was answered.
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

	it('of datagrams from a client', async () => {
		const count = 4000;
		const socket = dgram.createSocket('udp4').unref();
		let heard = 0;
		socket.on('message', () => { heard++; });
		await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
		socket.setRecvBufferSize(4 << 20);
		const other = await client(TcpTurnClient, 'over-tcp');
		const flood = async () => {
			for (let n = 0; n < count; n++) await new Promise((resolve) => socket.send(binding(), cluster.ports.turn, '127.0.0.1', resolve));
		};
		for (const at of await whileAsleep(flood, [other], () => heard)) assert.ok(at <= count / 2, `after ${at} of ${count}`);
		await until('the flood to be served', () => heard > count / 2);
		socket.close();
		await other.close();
	});

	it('of messages over a connection', async () => {
		const count = 20_000;
		const flooding = await client(TcpTurnClient, 'flooding');
		let heard = 0;
		flooding.on('heard', () => { heard++; });
		const others = await Promise.all([client(TurnClient, 'over-udp'), client(TcpTurnClient, 'over-tcp')]);
		const flood = () => {
			flooding.write(Buffer.concat(Array.from({ length: count }, binding)));
		};
		for (const at of await whileAsleep(flood, others, () => heard)) assert.ok(at <= count / 2, `after ${at} of ${count}`);
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
		const flood = async () => {
			for (let n = 0; n < count; n++) {
				await new Promise((resolve) => socket.send('x', flooded.relayed.port, flooded.relayed.address, resolve));
			}
		};
		for (const at of await whileAsleep(flood, others, () => heard)) assert.ok(at <= count / 2, `after ${at} of ${count}`);
		await until('the flood to be relayed', () => heard > 100);
		socket.close();
		await Promise.all([flooded, ...others].map((each) => each.close()).concat(peer.close()));
	});
});
