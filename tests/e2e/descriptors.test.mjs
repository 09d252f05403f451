// A relay whose descriptors are used up: it says so to whom it cannot serve, and goes on.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { prepare, run, until } from './lib/cluster.mjs';
import { TurnClient } from './lib/turn.mjs';

describe('no descriptor is left', () => {
	let cluster;
	const clients = [];
	const connections = [];
	before(async () => {
		cluster = await prepare('descriptors', { 'turn-tcp': 'yes' });
		await cluster.up();
	});
	after(async () => {
		for (const each of connections) each.destroy();
		await Promise.all(clients.map((each) => each.close()));
		await cluster?.close();
	});

	async function client() {
		const { username, credential } = await cluster.credential(`c${clients.length}`);
		const made = new TurnClient({ port: cluster.ports.turn, username, password: credential });
		await made.ready;
		clients.push(made);
		return made;
	}

	it('is 508 to an Allocate, and no busy loop on accept (threat_D15)', async () => {
		const relay = (await cluster.status()).actors.find((each) => each.name === 'relay-1').pid;
		const highest = Math.max(...fs.readdirSync(`/proc/${relay}/fd`).map(Number));
		const limit = async (count) => {
			const result = await run('prlimit', [`--pid=${relay}`, `--nofile=${count}:`]);
			assert.equal(result.code, 0, result.text);
		};
		await limit(highest + 4);
		let refused = null;
		for (let i = 0; i < 200 && refused === null; i++) {
			await (await client()).allocate().catch((error) => { refused = error; });
		}
		assert.equal(refused?.code, 508);

		// Who connects waits in the kernel; the relay looks again now and then, and not at once.
		for (let i = 0; i < 3; i++) connections.push(net.connect(cluster.ports.turn, '127.0.0.1').on('error', () => {}));
		const complaints = () => cluster.err.split('no descriptor for a TCP client').length - 1;
		await until('a line about it', () => complaints() > 0);
		for (let i = 0; i < 20; i++) await clients[0].binding(); // it serves those it has
		await clients[0].refresh(600);
		assert.ok(complaints() < 20, `${complaints()} lines`);

		// With room again everybody is served: the same process, and who had waited.
		await limit(highest + 100);
		await (await client()).allocate();
		const waited = connections[0];
		const answered = new Promise((resolve) => waited.once('data', resolve));
		waited.write(Buffer.from('000100002112a442000102030405060708090a0b', 'hex'));
		assert.equal((await answered).readUInt16BE(0), 0x0101);
		assert.equal((await cluster.status()).actors.find((each) => each.name === 'relay-1').pid, relay);
	});
});
