// external-ip = auto-detect: what STUN servers say, whom to believe, and what is left when nobody answers.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { after, before, describe, it } from 'node:test';
import { prepare, start, until } from './lib/cluster.mjs';
import { TurnClient } from './lib/turn.mjs';

const COOKIE = 0x2112a442;

// Answers every Binding with that address, or with nothing; `broken`: with another transaction.
async function stunServer(ip, { broken = false } = {}) {
	const socket = dgram.createSocket('udp4');
	socket.on('message', (request, from) => {
		if (ip === null) return;
		const value = Buffer.alloc(8);
		value[1] = 1;
		value.writeUInt16BE(from.port ^ (COOKIE >>> 16), 2);
		ip.split('.').forEach((byte, i) => { value[4 + i] = Number(byte) ^ ((COOKIE >>> (24 - 8 * i)) & 0xff); });
		const reply = Buffer.alloc(24 + 8);
		reply.writeUInt16BE(0x0101, 0);
		reply.writeUInt16BE(12, 2);
		request.copy(reply, 4, 4, 20);
		if (broken) reply[19] ^= 1;
		reply.writeUInt16BE(0x0020, 20);
		reply.writeUInt16BE(8, 22);
		value.copy(reply, 24);
		socket.send(reply, from.port, from.address);
	});
	await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
	return { socket, name: `127.0.0.1:${socket.address().port}` };
}

describe('external-ip = auto-detect', () => {
	let cluster;
	const servers = [];
	before(async () => { cluster = await prepare('external'); });
	after(async () => {
		for (const each of servers) each.socket.close();
		await cluster?.close();
	});
	async function check(...answers) {
		const asked = await Promise.all(answers.map((each) => stunServer(...[each].flat())));
		servers.push(...asked);
		return cluster.ifswarm('config', 'check', '--external-ip', 'auto-detect',
			...asked.flatMap((each) => ['--stun-server', each.name]));
	}

	it('believes most of them', async () => {
		const result = await check('198.51.100.9', '203.0.113.9', '203.0.113.9');
		assert.equal(result.code, 0, result.text);
		assert.match(result.err, /auto-detect: 203\.0\.113\.9, say 2 of 3 stun-servers$/m);
	});

	it('says when they are too few to be sure', async () => {
		const result = await check('203.0.113.9', null);
		assert.match(result.err, /auto-detect: 203\.0\.113\.9, say 1 of 2 stun-servers: too few/);
		assert.match(result.err, /does not answer/);
	});

	it('takes the address of the interface when nobody answers, and says so', async () => {
		const result = await check(null, ['203.0.113.9', { broken: true }]);
		assert.match(result.err, /no stun-server answers: the interface's own address is taken/);
	});

	it('is what clients are told, relayed address and mapped one', async () => {
		const one = await stunServer('203.0.113.9');
		servers.push(one);
		cluster.options = { ...cluster.options, 'external-ip': 'auto-detect', 'stun-server': one.name, 'listening-ip': '127.0.0.1' };
		await cluster.up();
		const { username, credential, urls } = await cluster.credential('ann');
		assert.match(urls[0], /^turn:203\.0\.113\.9:/);
		const made = new TurnClient({ port: cluster.ports.turn, username, password: credential });
		await made.ready;
		await made.allocate();
		assert.equal(made.relayed.address, '203.0.113.9');
		assert.equal(made.mapped.address, '127.0.0.1');
		await made.close();
	});
});

describe('external-ip without a way back through the NAT', () => {
	let cluster;
	before(async () => {
		cluster = await start('mapped', { 'external-ip': '203.0.113.9', 'listening-ip': '127.0.0.1', 'relay-ip': '127.0.0.1' });
	});
	after(() => cluster?.close());

	const two = () => Promise.all(['a', 'b'].map(async (name) => {
		const { username, credential: password } = await cluster.credential(name);
		const made = new TurnClient({ port: cluster.ports.turn, username, password });
		await made.ready;
		await made.allocate();
		return made;
	}));

	it('lets two of its clients reach one another', async () => {
		const [a, b] = await two();
		const got = [];
		b.on('data', (payload) => got.push(payload.toString()));
		assert.equal(b.relayed.address, '203.0.113.9');
		await a.bindChannel(0x4000, b.relayed);
		await b.permit(a.relayed);
		await a.sendChannel(0x4000, Buffer.from('across'));
		await until('it to arrive', () => got.length === 1);
		assert.equal(got[0], 'across');
		await Promise.all([a.close(), b.close()]);
	});

	it('names a relayed address that is no more in an ICMP error as clients know it', async () => {
		const [a, b] = await two();
		const { relayed } = b;
		const told = [];
		a.on('icmp', (error) => told.push(error));
		await a.permit(relayed);
		await b.refresh(0);
		await until('the ICMP error', async () => {
			await a.sendIndication(relayed, Buffer.from('anyone?'));
			return told.length > 0;
		});
		assert.deepEqual(told[0], { type: 3, code: 3, peer: relayed });
		await Promise.all([a.close(), b.close()]);
	});
});
