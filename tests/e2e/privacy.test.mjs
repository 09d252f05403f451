// An agent is erased from a cluster that runs: its sessions end, no file holds its name or address any more,
// the proofs of before hold, everybody else goes on, and no restore brings it back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Agent, join, offer } from './lib/agent.mjs';
import { kill, start, temporary, until } from './lib/cluster.mjs';
import { TurnClient, echoPeer } from './lib/turn.mjs';

const ERIN = 'erin-who-goes';
const ADDRESS = '127.0.0.77';
const REASON = 'request of 3 May';

// Every regular file below a directory.
function files(directory) {
	return fs.readdirSync(directory, { withFileTypes: true }).flatMap((item) => {
		const at = path.join(directory, item.name);
		return item.isDirectory() ? files(at) : item.isFile() ? [at] : [];
	});
}

// Where any of the needles stands. Files come and go meanwhile (checkpoints, partial tiles): then it is looked through again.
const search = (directory, needles) => until('a look through all files', () => ({
	found: files(directory).filter((file) => {
		const bytes = fs.readFileSync(file);
		return needles.some((needle) => bytes.includes(needle));
	}),
})).then(({ found }) => found);

describe('privacy', () => {
	let cluster;
	let copies;
	let bob;
	let erin;
	let turn;
	let old; // a proof of before
	const needles = [Buffer.from(ERIN), Buffer.from(ADDRESS)];

	before(async () => {
		cluster = await start('privacy', { 'allowed-peer-ip': '127.0.0.1' });
		copies = temporary('copies');
		bob = await join(cluster.url, 'bob');
		erin = await new Agent(ERIN).open(cluster.url, { localAddress: ADDRESS });
		await erin.register();
		erin.send(offer(ERIN, 'bob', 'hello'));
		await bob.next('offer');
		// Refusals that name her: a second one of that name, and a message to nobody.
		const other = await new Agent(ERIN).open(cluster.url);
		other.send({ type: 'register', agent_id: ERIN });
		await other.next('error');
		await other.close();
		const credential = await cluster.credential(ERIN);
		turn = new TurnClient({ port: cluster.ports.turn, username: credential.username, password: credential.credential });
		const peer = await echoPeer();
		await turn.allocate();
		await turn.bindChannel(0x4000, peer);
		await turn.sendChannel(0x4000, Buffer.alloc(100));
		await peer.close();
		assert.equal((await cluster.ifreplay('agent', ERIN)).code, 0);
		const [registered] = (await cluster.log('agent_registered')).filter((event) => JSON.stringify(event).includes(ERIN));
		old = path.join(copies, 'old.tlog-proof');
		await until('it to be published', async () => {
			const { code, out } = await cluster.ifreplay('prove', String(registered.seq));
			fs.writeFileSync(old, out);
			return code === 0;
		});
		fs.copyFileSync(path.join(cluster.data, 'head'), path.join(copies, 'old.checkpoint'));
		const backup = await cluster.ifreplay('backup', path.join(copies, 'backup'), '--keys', path.join(copies, 'keys'));
		assert.equal(backup.code, 0, backup.text);
	});
	after(async () => {
		await Promise.all([bob?.close(), erin?.close(), turn?.close()]);
		await cluster?.close();
		fs.rmSync(copies, { recursive: true, force: true });
	});

	it('a dry run says what would go and touches nothing', async () => {
		const { code, out, text } = await cluster.ifreplay('erase', '--agent', ERIN, '--dry-run', '--json');
		assert.equal(code, 0, text);
		const plan = JSON.parse(out);
		assert.ok(plan.handles.length >= 2, out);
		assert.ok(plan.own_parts >= 4, out);
		assert.ok(plan.other_parts >= 1, out);
		assert.equal((await cluster.log('erase_requested')).length, 0);
		assert.equal(erin.closed, null);
	});

	it('a reason is needed, and must not name the agent', async () => {
		assert.equal((await cluster.ifreplay('erase', '--agent', ERIN)).code, 2);
		assert.equal((await cluster.ifreplay('erase', '--agent', ERIN, '--reason', `${ERIN} asked`)).code, 2);
	});

	it('a hold refuses it, by its id, and the agent stays connected', async () => {
		const placed = await cluster.ifreplay('hold', '--agent', ERIN, '--reason', 'case 7', '--json');
		assert.equal(placed.code, 0, placed.text);
		const { hold } = JSON.parse(placed.out);
		const listed = await cluster.ifreplay('holds', '--json');
		assert.match(listed.out, new RegExp(hold));
		const refused = await cluster.ifreplay('erase', '--agent', ERIN, '--reason', REASON);
		assert.equal(refused.code, 1, refused.text);
		assert.match(refused.out, new RegExp(hold));
		assert.equal((await cluster.log('erase_refused')).length, 1);
		assert.equal(erin.closed, null);
		const released = await cluster.ifreplay('release', hold, '--reason', 'closed');
		assert.equal(released.code, 0, released.text);
		assert.equal((await cluster.ifreplay('release', hold, '--reason', 'closed')).code, 1);
		assert.doesNotMatch((await cluster.ifreplay('holds')).out, new RegExp(hold));
	});

	it('erasing ends the agent, and no file holds its name or address', async () => {
		const erased = await cluster.ifreplay('erase', '--agent', ERIN, '--reason', REASON, '--json');
		assert.equal(erased.code, 0, erased.text);
		const said = JSON.parse(erased.out);
		assert.equal(said.kind, 'erased');
		assert.ok(said.ended >= 2, erased.out);
		assert.ok(said.keys >= 2, erased.out);
		await until('the socket to close', () => erin.closed);
		assert.deepEqual(await search(cluster.data, needles), []);
		assert.ok(fs.existsSync(path.join(cluster.data, 'witness.db-wal')));
		assert.equal((await cluster.log('erased')).length, 1);
		assert.ok(!JSON.stringify(await cluster.log()).includes(ERIN));
		assert.equal(bob.closed, null);
		bob.send(offer('bob', 'bob', 'still here'));
		await bob.next('offer');
	});

	it('the log verifies, and what was proven before stays proven', async () => {
		const verified = await cluster.ifreplay('verify', '--against', path.join(copies, 'old.checkpoint'));
		assert.equal(verified.code, 0, verified.text);
		const seq = /^index (\d+)$/m.exec(fs.readFileSync(old, 'utf8'))[1];
		const again = (await cluster.ifreplay('prove', seq)).out;
		assert.match(again, new RegExp(`^index ${seq}$`, 'm'));
	});

	it('killed actors rebuild their state from the log that is left', async () => {
		const { actors } = await cluster.status();
		for (const name of ['session', 'allocation', 'witness']) kill(actors.find((each) => each.name === name).pid);
		await until('all to run again', async () => (await cluster.status()).actors.every((each) => each.state === 'running'));
		const carol = await join(cluster.url, 'carol');
		assert.deepEqual([...carol.registered.connected_agents].sort().filter((name) => name !== 'carol'), ['bob']);
		await carol.close();
		assert.equal((await cluster.ifreplay('verify')).code, 0);
	});

	it('who registers again under that name begins anew', async () => {
		const again = await join(cluster.url, ERIN);
		const story = await cluster.ifreplay('agent', ERIN);
		assert.equal(story.code, 0, story.text);
		await again.close();
		const erased = await cluster.ifreplay('erase', '--agent', ERIN, '--reason', REASON, '--json');
		assert.equal(erased.code, 0, erased.text);
		assert.deepEqual(await search(cluster.data, needles), []);
	});

	it('a backup of before does not bring it back', async () => {
		await cluster.stop();
		fs.rmSync(path.join(cluster.data, 'keys.db'));
		for (const name of fs.readdirSync(cluster.data)) {
			if (/^(witness|keys)\.db/.test(name)) fs.rmSync(path.join(cluster.data, name));
		}
		const restored = await cluster.ifreplay('restore', path.join(copies, 'backup'), '--keys', path.join(copies, 'keys'), '--discard');
		assert.equal(restored.code, 0, restored.text);
		assert.deepEqual(await search(cluster.data, needles), []);
		assert.ok(!JSON.stringify(await cluster.log()).includes(ERIN));
		const verified = await cluster.ifreplay('verify');
		assert.equal(verified.code, 0, verified.text);
	});

	it('a stopped cluster is erased from too', async () => {
		const erased = await cluster.ifreplay('erase', '--agent', 'bob', '--reason', REASON, '--json');
		assert.equal(erased.code, 0, erased.text);
		assert.ok(!JSON.stringify(await cluster.log()).includes('"bob"'));
		assert.equal((await cluster.ifreplay('verify')).code, 0);
	});
});
