// The running cluster in an operator's hands: reload, and who asked for it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { prepare, run, sleep, until } from './lib/cluster.mjs';
import { TurnClient, echoPeer } from './lib/turn.mjs';

const OLD = 'the-old-secret';
const NEW = 'the-new-secret';

// A cluster whose configuration is a file, so that it can be changed.
async function configured(name, lines) {
	const cluster = await prepare(name);
	const file = path.join(path.dirname(cluster.data), `${name}.conf`);
	cluster.options = { config: file };
	cluster.configure = (...keys) => fs.writeFileSync(file, [...keys, ''].join('\n'), { mode: 0o600 });
	cluster.configure(...lines);
	cluster.credential = async (agent) =>
		JSON.parse((await cluster.ifswarm('credential', agent, '--json', '--config', file)).out);
	await cluster.up();
	return cluster;
}

async function client(cluster, name, credential) {
	const { username, credential: password } = credential ?? await cluster.credential(name);
	const made = new TurnClient({ port: cluster.ports.turn, username, password });
	await made.ready;
	return made;
}

const acts = async (cluster, act) =>
	(await cluster.log('operator_acted')).map((each) => each.fields).filter((each) => each.act === act);

describe('reload', () => {
	const base = [`static-auth-secret = ${OLD}`, 'allowed-peer-ip = 127.0.0.0/8'];
	let cluster;
	let peer;
	before(async () => {
		cluster = await configured('reload', base);
		peer = await echoPeer('127.0.0.2');
	});
	after(async () => {
		await peer?.close();
		await cluster?.close();
	});

	it('says that nothing has changed, and writes down who asked', async () => {
		const result = await cluster.ifswarm('reload');
		assert.equal(result.code, 0, result.text);
		assert.match(result.out, /nothing has changed/);
		const [act] = await until('the act in the log', async () => acts(cluster, 'reload').then((all) => all.length > 0 && all));
		assert.match(act.operator_name, new RegExp(`uid ${process.getuid()}$`));
		assert.match(act.detail, /^0 keys changed/);
	});

	it('changes nothing when there are faults, and names every one with its line', async () => {
		const credential = await cluster.credential('still');
		cluster.configure(...base, 'user-quota = many', 'no-such-key = 1', 'min-port = 80');
		const result = await cluster.ifswarm('reload');
		assert.equal(result.code, 1);
		assert.match(result.err, /reload\.conf:3: user-quota/);
		assert.match(result.err, /reload\.conf:4: unknown key "no-such-key"/);
		assert.match(result.err, /reload\.conf:5: min-port/);
		const { taken, faults } = JSON.parse((await cluster.ifswarm('reload', '--json')).out);
		assert.deepEqual([taken.length, faults.length], [0, 3]);
		const made = await client(cluster, 'still', credential);
		await made.allocate();
		await made.refresh(0);
		await made.close();
	});

	it('names line by line what needs a restart, and takes the rest', async () => {
		cluster.configure(...base, 'user-quota = 1', 'realm = elsewhere', 'relays = 3');
		const result = await cluster.ifswarm('reload');
		assert.equal(result.code, 0, result.text);
		assert.match(result.out, /^user-quota: taken over$/m);
		assert.match(result.err, /^realm: needs a restart/m);
		assert.match(result.err, /^relays: needs a restart/m);
		const first = await client(cluster, 'quota');
		const second = await client(cluster, 'quota');
		await first.allocate();
		await assert.rejects(second.allocate(), (error) => error.code === 486);
		await first.refresh(0);
		await Promise.all([first.close(), second.close()]);
	});

	it('accepts a former secret for the overlap and refuses it then, without ending a call (threat_C13)', async () => {
		cluster.configure(...base);
		await cluster.ifswarm('reload');
		const old = await cluster.credential('rolled');
		const made = await client(cluster, 'rolled', old);
		await made.allocate();

		cluster.configure(`static-auth-secret = ${NEW}`, 'allowed-peer-ip = 127.0.0.0/8', 'secret-overlap = 3600');
		const overlap = await cluster.ifswarm('reload');
		assert.equal(overlap.code, 0, overlap.text);
		assert.match(overlap.out, /still accepted beside the new: 1/);
		assert.ok(!overlap.text.includes(OLD) && !overlap.text.includes(NEW));
		await made.refresh(600);
		const late = await client(cluster, 'rolled', old);
		await late.allocate();

		cluster.configure(`static-auth-secret = ${NEW}`, 'allowed-peer-ip = 127.0.0.0/8', 'secret-overlap = 0');
		assert.equal((await cluster.ifswarm('reload')).code, 0);
		const refused = await client(cluster, 'rolled', old);
		await assert.rejects(refused.allocate(), (error) => error.code === 401);
		await Promise.all([made.close(), late.close(), refused.close()]);
	});

	it('cuts off a peer that the policy now forbids, and ends its permission in the log (threat_B14)', async () => {
		// Its nonce and password are of the new secret.
		const secret = [`static-auth-secret = ${NEW}`, 'secret-overlap = 0'];
		cluster.configure(...secret, 'allowed-peer-ip = 127.0.0.0/8', 'user = static:secret');
		assert.equal((await cluster.ifswarm('reload')).code, 0);
		const made = await client(cluster, 'static', { username: 'static', credential: 'secret' });
		await made.allocate();
		await made.bindChannel(0x4000, peer);
		const echoed = until('an echo', () => peer.received > 0);
		made.sendChannel(0x4000, Buffer.from('before'));
		await echoed;

		cluster.configure(...secret, 'user = static:secret');
		assert.equal((await cluster.ifswarm('reload')).code, 0);
		const before = peer.received;
		for (let i = 0; i < 5; i++) made.sendChannel(0x4000, Buffer.from('after'));
		const ended = await until('its end in the log', async () => {
			const events = await cluster.log('turn_peer_forbidden');
			return events.length === 2 && events; // the channel and the permission beneath it
		});
		assert.equal(peer.received, before);
		assert.equal(ended[0].fields.allocation, ended[1].fields.allocation);
		await made.refresh(600); // the allocation itself goes on
		await made.close();
	});

	it('survives 100 SIGHUPs under load and drops nothing (threat_G10)', async () => {
		cluster.configure('user = static:secret', 'allowed-peer-ip = 127.0.0.0/8');
		assert.equal((await cluster.ifswarm('reload')).code, 0);
		const made = await client(cluster, 'static', { username: 'static', credential: 'secret' });
		await made.allocate();
		await made.bindChannel(0x4001, peer);
		const pids = await cluster.pids();
		const before = peer.received;
		for (let i = 0; i < 100; i++) {
			cluster.child.kill('SIGHUP');
			made.sendChannel(0x4001, Buffer.from(`packet ${i}`));
			await sleep(2);
		}
		await until('every packet', () => peer.received === before + 100);
		assert.equal((await cluster.ifswarm('reload')).code, 0);
		assert.deepEqual(await cluster.pids(), pids);
		await made.close();
		assert.equal((await cluster.ifreplay('verify')).code, 0);
	});
});
