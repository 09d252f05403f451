// Who relays what, now; and what an operator ends or takes back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { bin, prepare, run, until } from './lib/cluster.mjs';
import { join } from './lib/agent.mjs';
import { TurnClient, echoPeer } from './lib/turn.mjs';

describe('live control', () => {
	let cluster;
	let peer;
	const clients = [];
	const acts = async (act) => (await cluster.log('operator_acted')).map((each) => each.fields)
		.filter((each) => each.act === act);
	const list = async (...more) => {
		const result = await cluster.ifswarm('allocations', '--json', ...more);
		assert.equal(result.code, 0, result.text);
		return JSON.parse(result.out).allocations;
	};
	async function client(name, credential) {
		credential ??= JSON.parse((await cluster.ifswarm('credential', name, '--json')).out);
		const made = new TurnClient({
			port: cluster.ports.turn, username: credential.username, password: credential.credential,
		});
		await made.ready;
		clients.push(made);
		return made;
	}
	before(async () => {
		cluster = await prepare('live', { 'allowed-peer-ip': '127.0.0.0/8' });
		await cluster.up();
		peer = await echoPeer('127.0.0.2');
	});
	after(async () => {
		await Promise.all(clients.map((each) => each.close()));
		await peer?.close();
		await cluster?.close();
	});

	it('shows who relays what, to the byte, and writes down who looked', async () => {
		const ann = await client('ann');
		const bob = await client('bob');
		await ann.allocate();
		await bob.allocate();
		await ann.bindChannel(0x4000, peer);
		for (let i = 0; i < 3; i++) ann.sendChannel(0x4000, Buffer.from('twelve bytes'));
		await until('the echoes', async () => (await list('--agent', 'ann'))[0]?.bytes_down === 36);
		const [shown, ...others] = await list('--agent', 'ann');
		assert.equal(others.length, 0);
		assert.equal(shown.agent, 'ann');
		assert.equal(shown.transport, 'udp');
		assert.equal(shown.bytes_up, 36);
		assert.equal(shown.packets_up, 3);
		assert.match(shown.client, /^127\.0\.0\.1:\d+$/);
		assert.match(shown.relayed[0], /^127\.0\.0\.1:\d+$/);
		assert.ok(shown.age_s >= 0 && shown.expires_s > 0 && shown.expires_s <= 3600);
		assert.deepEqual(shown.peers.map((each) => each.channel).sort(), [0x4000, null]);
		assert.equal((await list()).length, 2);
		assert.match((await cluster.ifswarm('allocations')).out, /ann .*127\.0\.0\.2:\d+=0x4000/);
		const looked = await acts('allocations');
		assert.ok(looked.length >= 3);
		assert.equal(looked[0].about, 'ann');
		assert.match(looked[0].operator_name, new RegExp(`uid ${process.getuid()}$`));
	});

	it('counts it at /metrics, without a name or an address', async () => {
		const text = await until('the counts', async () => {
			const page = await (await fetch(`${cluster.http}metrics`)).text();
			return /ifswarm_turn_bytes_total\{relay="1",direction="down"\} 36/.test(page) && page;
		});
		assert.match(text, /ifswarm_turn_allocations\{relay="1",transport="udp",family="ipv4"\} 2/);
		assert.match(text, /ifswarm_turn_packets_total\{relay="1",direction="up"\} 3/);
		assert.match(text, /ifswarm_turn_refused_total\{relay="1",code="486",reason="QUOTA"\} 0/);
		assert.doesNotMatch(text, /ann|bob|127\.0\.0/);
	});

	it('kills one allocation, and its sums are in the log', async () => {
		const [{ allocation }] = await list('--agent', 'ann');
		const result = await cluster.ifswarm('kill', allocation);
		assert.equal(result.code, 0, result.text);
		assert.deepEqual(await list('--agent', 'ann'), []);
		const ended = (await cluster.log('turn_allocation_ended')).map((each) => each.fields)
			.find((each) => each.allocation === allocation);
		assert.equal(ended.reason, 7); // killed
		assert.equal(Number(ended.bytes_up), 36);
		await assert.rejects(clients[0].refresh(600), (error) => error.code === 437);
		assert.equal((await cluster.ifswarm('kill', allocation)).code, 1);
		assert.equal((await acts('kill'))[0].about, allocation);
	});

	it('kills an agent: its WebSocket too; it may come back', async () => {
		const agent = await join(cluster.url, 'bob');
		const other = await join(cluster.url, 'eve');
		const result = await cluster.ifswarm('kill', 'bob');
		assert.equal(result.code, 0, result.text);
		assert.match(result.out, /1 registrations, 1 allocations/);
		await until('its end', () => agent.closed);
		assert.equal(agent.closed.code, 4403);
		assert.equal((await other.next('agent-left')).agent_id, 'bob');
		const left = (await cluster.log('agent_disconnected')).map((each) => each.fields);
		assert.deepEqual(left.map((each) => each.reason), [8]); // killed
		const again = await join(cluster.url, 'bob');
		const ended = await cluster.ifswarm('kill', 'bob', '--json');
		assert.equal(ended.code, 0, ended.text);
		assert.deepEqual(JSON.parse(ended.out), { registrations: 1, allocations: 0 });
		await Promise.all([again.close(), other.close()]);
	});

	it('revokes an agent: over a restart of everything, until it is undone', async () => {
		const credential = JSON.parse((await cluster.ifswarm('credential', 'ann', '--json')).out);
		const ann = await client('ann', credential);
		const bob = await client('bob');
		await ann.allocate();
		const result = await cluster.ifswarm('revoke', 'ann');
		assert.equal(result.code, 0, result.text);
		assert.deepEqual(await list('--agent', 'ann'), []);
		const [ended] = (await cluster.log('turn_allocation_ended')).map((each) => each.fields)
			.filter((each) => each.reason === 8);
		assert.ok(ended);
		await assert.rejects(ann.allocate(), (error) => error.code === 401);
		await bob.allocate();
		assert.match((await cluster.ifswarm('revoke', 'ann')).out, /already so/);
		const answer = (await cluster.ifswarm('revoke', 'ann', '--json')).out;
		assert.deepEqual(JSON.parse(answer), { agent: 'ann', revoked: true, changed: false });

		for (const name of ['allocation', 'relay-1']) {
			const pid = async () => (await cluster.status()).actors.find((each) => each.name === name)?.pid;
			const before = await pid();
			process.kill(before, 'SIGKILL');
			await until(`another ${name}`, async () => {
				const now = await pid();
				return now > 1 && now !== before;
			});
			const late = await client('ann', credential);
			await until('its refusal', () => late.allocate().then(() => assert.fail('it allocated'), (error) => error.code === 401));
		}
		await cluster.stop();
		await cluster.up();
		const still = await client('ann', credential);
		await assert.rejects(still.allocate(), (error) => error.code === 401);

		assert.equal((await cluster.ifswarm('revoke', 'ann', '--undo')).code, 0);
		const good = await client('ann', credential);
		await good.allocate();
		assert.equal((await cluster.log('turn_agent_restored')).length, 1);
		assert.equal((await acts('restore')).length, 1);
		assert.equal((await cluster.ifreplay('verify')).code, 0);
	});

	it('refuses whoever is neither root nor the owner, and writes it down (threat_G3)', async (t) => {
		if (process.getuid() !== 0) return t.skip('only root can act as somebody else');
		const as = (...words) => run('setpriv',
			['--reuid=65534', '--regid=65534', '--clear-groups', path.join(bin, 'ifswarm'), ...words, '--data-dir', cluster.data],
			{ data: cluster.data });
		const before = await list();
		// As installed the directory is closed to others.
		assert.notEqual((await as('kill', 'ann')).code, 0);
		// Even if somebody opens it, the cluster asks the kernel who is there.
		const open = (at, mode) => {
			fs.chmodSync(at, mode);
			for (const each of fs.statSync(at).isDirectory() ? fs.readdirSync(at) : []) open(path.join(at, each), mode);
		};
		for (let at = cluster.data; at !== '/tmp' && at !== '/'; at = path.dirname(at)) fs.chmodSync(at, 0o755);
		for (const each of ['run', 'lock']) {
			const at = path.join(cluster.data, each);
			if (fs.existsSync(at)) open(fs.realpathSync(at), 0o777);
		}
		for (const words of [['kill', 'ann'], ['revoke', 'ann'], ['allocations'], ['reload'], ['stop']]) {
			const result = await as(...words);
			assert.notEqual(result.code, 0, `${words}: ${result.text}`);
		}
		const refused = await until('it in the log', async () => {
			const events = await cluster.log('operator_refused');
			return events.length > 0 && events;
		});
		assert.match(refused[0].fields.operator_name, /uid 65534$/);
		assert.deepEqual((await list()).map((each) => each.allocation), before.map((each) => each.allocation));
		// There is no admin over TCP: whatever listens is a port of the configuration.
		for (const path_ of ['kill', 'revoke', 'allocations', 'reload', 'stop', 'admin']) {
			assert.equal((await fetch(`${cluster.http}${path_}`)).status, 404);
			assert.ok((await fetch(`${cluster.http}${path_}`, { method: 'POST' })).status >= 400);
		}
	});

	it('takes no name of a file: what is asked live is a word, a name or an id (threat_G4)', async () => {
		for (const option of ['--output', '--file', '--config']) {
			const target = path.join(path.dirname(cluster.data), 'written');
			for (const command of [['allocations'], ['kill', 'ann'], ['revoke', 'ann']]) {
				await cluster.ifswarm(...command, option, target);
				assert.ok(!fs.existsSync(target), `${command} ${option}`);
			}
		}
		// A path is a name like any other, which nobody has.
		for (const name of ['../../etc/passwd', '/etc/shadow']) {
			assert.match((await cluster.ifswarm('kill', name)).err, /nothing of that name is live/);
		}
	});
});
