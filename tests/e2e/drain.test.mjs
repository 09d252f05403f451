// A cluster that is drained: what is there goes on, what comes is sent away, and who asked is in the log.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { kill, start, temporary, until } from './lib/cluster.mjs';
import { authority } from './lib/certificates.mjs';
import { Agent } from './lib/agent.mjs';
import { TcpTurnClient, TurnClient, echoPeer, verify } from './lib/turn.mjs';

const ALTERNATE_SERVER = 0x8023;
const ALTERNATE_DOMAIN = 0x8003;

describe('drain', () => {
	let cluster;
	let ca;
	let held;
	let peer;
	let alice;
	const directory = temporary('certificates');
	before(async () => {
		ca = await authority(directory);
		const served = await ca.issue('drained');
		cluster = await start('drain', { cert: served.cert, pkey: served.key, 'allowed-peer-ip': ['127.0.0.2'] });
		held = await client('held');
		peer = await echoPeer('127.0.0.2');
		await held.allocate();
		await held.bindChannel(0x4000, peer);
		alice = new Agent('alice');
		await alice.open(cluster.url);
		alice.send({ type: 'register', agent_id: 'alice' });
		await alice.next('registered');
	});
	after(async () => {
		alice?.socket.terminate();
		await peer?.close();
		await cluster?.close();
		fs.rmSync(directory, { recursive: true, force: true });
	});

	async function client(name, secure) {
		const { username, credential: password } = await cluster.credential(name);
		const made = secure
			? new TcpTurnClient({ port: cluster.ports.turns, username, password, secure: { ca: fs.readFileSync(ca.ca) } })
			: new TurnClient({ port: cluster.ports.turn, username, password });
		await made.ready;
		return made;
	}

	async function refusal(name, secure) {
		const made = await client(name, secure);
		try {
			await made.allocate();
		} catch (error) {
			assert.ok(verify(error.reply, made.key), 'a refusal without MESSAGE-INTEGRITY');
			return error;
		} finally {
			await made.close();
		}
		throw new Error('it was given an allocation');
	}

	const echoes = async () => {
		const heard = new Promise((resolve) => { held.once('data', resolve); });
		await held.sendChannel(0x4000, Buffer.from('still there'));
		assert.equal((await heard).toString(), 'still there');
	};

	it('waits no longer than it is told, and says what is left', async () => {
		const result = await cluster.ifswarm('drain', '--timeout', '0');
		assert.equal(result.code, 1, result.text);
		assert.match(result.out, /^drained: 1 allocations and 1 agents are left$/m);
		assert.match((await cluster.ifswarm('status')).out, /^drained: no new work is taken/m);
	});

	it('refuses new allocations and agents, and lets go on what is there', async () => {
		assert.equal((await refusal('late')).code, 508);
		const bob = new Agent('bob');
		await bob.open(cluster.url);
		bob.send({ type: 'register', agent_id: 'bob' });
		assert.equal((await bob.next('error')).code, 'DRAINING');
		bob.send({ type: 'register', agent_id: 'bob' });
		assert.equal((await bob.next('error')).code, 'DRAINING');
		bob.socket.terminate();
		await echoes();
		assert.equal(await held.refresh(700), 700);
		await held.permit({ address: '127.0.0.2' });
		alice.send({ type: 'register', agent_id: 'alice' });
		await alice.next('registered');
	});

	it('sends clients to where the operator says, by name over TLS; asked twice it is the same', async () => {
		for (let n = 0; n < 2; n++) {
			assert.equal((await cluster.ifswarm('drain', '--to', 'localhost:3999', '--timeout', '0')).code, 1);
			const plain = await refusal('sent');
			assert.equal(plain.code, 300);
			const value = plain.reply.get(ALTERNATE_SERVER);
			assert.equal(value.readUInt16BE(2), 3999);
			assert.deepEqual([...value.subarray(4)], [127, 0, 0, 1]);
			assert.equal(plain.reply.get(ALTERNATE_DOMAIN), undefined);
			assert.equal((await refusal('sealed', true)).reply.get(ALTERNATE_DOMAIN).toString(), 'localhost');
		}
	});

	it('outlasts the death of a relay and a reload', async () => {
		const status = async () => JSON.parse((await cluster.ifswarm('status', '--json')).out);
		const relay = async () => (await status()).actors.find(({ name }) => name === 'relay-1');
		const { pid } = await relay();
		kill(pid);
		await until('another relay', async () => { const now = await relay(); return now.pid !== pid && now.state === 'running'; });
		assert.equal((await refusal('after')).code, 300);
		assert.equal((await cluster.ifswarm('reload')).code, 0);
		assert.equal((await refusal('reloaded')).code, 300);
		assert.match((await status()).drain, /:3999 localhost$/);
		await echoes();
	});

	it('ends when nothing is left', async () => {
		const waiting = cluster.ifswarm('drain');
		await held.refresh(0);
		alice.socket.close();
		const result = await waiting;
		assert.equal(result.code, 0, result.text);
		assert.match(result.out, /0 allocations and 0 agents/);
		assert.doesNotMatch(result.text, /\r/); // no progress into a pipe
	});

	it('is undone, as often as one likes', async () => {
		for (let n = 0; n < 2; n++) assert.equal((await cluster.ifswarm('drain', '--undo')).code, 0);
		const made = await client('again');
		await made.allocate();
		await made.refresh(0);
		await made.close();
		assert.doesNotMatch((await cluster.ifswarm('status')).out, /drained/);
		const acts = (await cluster.log('operator_acted')).map(({ fields }) => fields).filter(({ act }) => act === 'drain');
		assert.ok(acts.length >= 6);
		for (const act of acts) assert.match(act.operator_name, new RegExp(`uid ${process.getuid()}$`));
		assert.deepEqual([acts[0].detail, acts.at(-1).detail], ['takes no new work', 'undone']);
	});

	it('says what is wrong with how it is asked', async () => {
		for (const words of [['--to', ':1'], ['--to', 'no.such.host.invalid'], ['--timeout', 'soon'], ['--undo', '--timeout', '1'], ['now']]) {
			const result = await cluster.ifswarm('drain', ...words);
			assert.equal(result.code, 2, words.join(' '));
			assert.match(result.err, /ifswarm drain: /);
		}
	});
});
