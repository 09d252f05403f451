// Starting, stopping, starting again; and what a faulty world gets: one clear line and a non-zero exit.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Agent, join, offer } from './lib/agent.mjs';
import { Cluster, bin, freePorts, kill, prepare, run, sleep, start, temporary, until } from './lib/cluster.mjs';
import { TurnClient } from './lib/turn.mjs';

async function someTraffic(cluster, rounds = 3) {
	const a = await join(cluster.url, 'a');
	const b = await join(cluster.url, 'b');
	for (let n = 0; n < rounds; n++) {
		a.send(offer('a', 'b', `n=${n}`));
		await b.next('offer');
	}
	await Promise.all([a.close(), b.close()]);
}

async function allocateOnce(cluster) {
	const credential = await cluster.credential('life');
	const turn = new TurnClient({ port: cluster.ports.turn, username: credential.username, password: credential.credential });
	await turn.allocate();
	await turn.close();
	return turn.relayed;
}

// `up` that is expected to fail: what it said, and that it said it soon and without a crash.
async function refused(cluster) {
	await assert.rejects(cluster.up(), /ended/);
	const { code, signal } = await cluster.ended;
	assert.equal(signal, null);
	assert.notEqual(code, 0);
	assert.ok(!/AddressSanitizer|runtime error|Assertion/.test(cluster.err), cluster.err);
	return cluster.err;
}

describe('a cluster that stops and starts', () => {
	let cluster;
	before(async () => { cluster = await start('lifecycle'); });
	after(() => cluster?.close());

	it('says one `ready ` line, and nothing else on standard output', () => {
		assert.match(cluster.out, /^ready [^\n]*\n$/);
	});

	it('is described by status', async () => {
		const { actors, log } = await cluster.status();
		const names = actors.map((actor) => actor.name).join(' ');
		for (const name of ['witness', 'session', 'allocation', 'gateway', 'relay']) assert.ok(names.includes(name), names);
		for (const actor of actors) assert.ok(Number.isInteger(actor.pid) && Number.isInteger(actor.restarts), JSON.stringify(actor));
		assert.ok(log.size > 0);
		assert.match(log.root, /^\S{43,64}$/);
	});

	it('refuses a second one on the same data directory, and names the first', async () => {
		const second = new Cluster({ data: cluster.data, ports: await freePorts() });
		assert.ok((await refused(second)).includes(String(cluster.child.pid)), second.err);
		await someTraffic(cluster);
	});

	it('keeps its history over Ctrl-C: entries, state and verification', async () => {
		await someTraffic(cluster);
		assert.equal((await cluster.stop('SIGINT')).code, 0);
		const before = (await cluster.ifreplay('log', '--json')).out;
		const last = JSON.parse(before.trimEnd().split('\n').at(-1)).seq;
		const state = (await cluster.ifreplay('state', '--at', String(last), '--json')).out;
		assert.ok(state.includes('digest'), state);

		await cluster.up();
		await someTraffic(cluster);
		const after = (await cluster.ifreplay('log', '--json')).out;
		assert.ok(after.startsWith(before) && after.length > before.length);
		assert.equal((await cluster.ifreplay('state', '--at', String(last), '--json')).out, state);
		const { code, text } = await cluster.ifreplay('verify');
		assert.equal(code, 0, text);
	});

	it('stops in order on SIGTERM, with nothing left running', async () => {
		const pids = await cluster.pids();
		assert.equal((await cluster.stop('SIGTERM')).code, 0);
		for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
		await cluster.up();
	});

	it('keeps the data directory to itself', () => {
		assert.equal(fs.statSync(path.join(cluster.data, 'run')).mode & 0o077, 0);
		for (const file of ['keys.db', 'private']) {
			const at = path.join(cluster.data, file);
			if (fs.existsSync(at)) assert.equal(fs.statSync(at).mode & 0o077, 0, file);
		}
	});

	it('survives the death of `ifswarm up` itself: a new one takes over the data directory', async () => {
		await allocateOnce(cluster);
		const pids = await cluster.pids();
		cluster.child.kill('SIGKILL');
		await cluster.ended;
		await until('its actors to end', () => pids.every((pid) => {
			try {
				process.kill(pid, 0);
				return false;
			} catch {
				return true;
			}
		}), 15_000).finally(() => pids.forEach((pid) => kill(pid)));
		await cluster.up();
		const { code, text } = await cluster.ifreplay('verify');
		assert.equal(code, 0, text);
		await someTraffic(cluster);
	});

	it('answers usage errors with 2 and help with 0', async () => {
		assert.equal((await cluster.ifswarm('--help')).code, 0);
		assert.ok((await cluster.ifswarm('--help')).out.split('\n').length <= 60);
		assert.notEqual((await cluster.ifswarm('no-such-command')).code, 0);
		assert.notEqual((await cluster.ifswarm('up', '--no-such-key', '1')).code, 0);
	});
});

describe('a busy port is named', () => {
	it('of WebSocket and HTTP', async () => {
		const cluster = await prepare('busy');
		const squatter = net.createServer().listen(cluster.ports.ws, '127.0.0.1');
		await new Promise((resolve) => squatter.once('listening', resolve));
		const said = await refused(cluster);
		squatter.close();
		assert.ok(said.includes(String(cluster.ports.ws)), said);
		await cluster.close();
	});

	it('of STUN and TURN', async () => {
		const cluster = await prepare('busy');
		const squatter = dgram.createSocket('udp4');
		await new Promise((resolve) => squatter.bind({ port: cluster.ports.turn, address: '127.0.0.1', exclusive: true }, resolve));
		const said = await refused(cluster);
		squatter.close();
		assert.ok(said.includes(String(cluster.ports.turn)), said);
		await cluster.close();
	});
});

describe('a configuration that cannot be', () => {
	const rows = [
		['an unknown key', 'port = 8443\nno-such-key = 1\n', [/ifswarm\.conf:2/, /no-such-key/]],
		['a port that is none', 'port = 70000\n', [/ifswarm\.conf:1/]],
		['a range that cannot be read (threat_B11)', '\ndenied-peer-ip = 10.0.0.0/33\n', [/ifswarm\.conf:2/]],
		['an inverted range (threat_B11)', 'allowed-peer-ip = 10.0.0.9-10.0.0.1\n', [/ifswarm\.conf:1/]],
		['min-port above max-port', 'min-port = 50000\nmax-port = 49000\n', [/min-port/]],
		['a certificate without its key', 'tls-cert = /nowhere/cert.pem\n', [/tls-key/]],
		['coturn\'s no-tcp beside turn-tcp', 'no-tcp\nturn-tcp = yes\n', [/ifswarm\.conf:1: no-tcp/, /ifswarm\.conf:2/]],
		['signaling beyond loopback that nobody opened', 'host = 0.0.0.0\n', [/open-signaling/]],
	];
	for (const [what, text, wanted] of rows) {
		it(what, async () => {
			const directory = temporary('config');
			fs.writeFileSync(path.join(directory, 'ifswarm.conf'), text);
			const data = path.join(directory, 'var');
			const result = await run(path.join(bin, 'ifswarm'), ['config', 'check'], { data, cwd: directory });
			assert.notEqual(result.code, 0, result.text);
			for (const each of wanted) assert.match(result.text, each);
			fs.rmSync(directory, { recursive: true });
		});
	}
});

describe('a data directory that is spoiled', () => {
	let cluster;
	let kept;
	before(async () => {
		cluster = await start('spoiled');
		await someTraffic(cluster, 50);
		await cluster.stop();
		// What a witness that was killed left in the WAL would make a spoiled file whole again, and rightly so.
		execFileSync('sqlite3', [path.join(cluster.data, 'witness.db'), 'pragma wal_checkpoint(truncate)']);
		kept = `${cluster.data}.kept`;
		fs.renameSync(cluster.data, kept);
	});
	after(async () => {
		await cluster?.close();
		if (kept) fs.rmSync(kept, { recursive: true, force: true });
	});
	const fresh = () => {
		fs.rmSync(cluster.data, { recursive: true, force: true });
		fs.cpSync(kept, cluster.data, { recursive: true, filter: (from) => !fs.lstatSync(from).isSocket() });
	};

	const rows = [
		['a witness.db cut in half', (file) => fs.truncateSync(file('witness.db'), fs.statSync(file('witness.db')).size >> 1), /witness\.db/],
		['a witness.db of 100 bytes', (file) => fs.truncateSync(file('witness.db'), 100), /witness\.db/],
		['a witness.db that is text', (file) => fs.writeFileSync(file('witness.db'), 'hello\n'.repeat(1000)), /witness\.db/],
		['a foreign SQLite database', (file) => {
			fs.rmSync(file('witness.db'));
			execFileSync('sqlite3', [file('witness.db'), 'create table t(x); insert into t values (1)']);
		}, /witness\.db/],
		['a witness.db that is gone while the head is there', (file) => {
			for (const name of ['witness.db', 'witness.db-wal', 'witness.db-shm']) fs.rmSync(file(name), { force: true });
		}, /witness\.db|head/],
		['an old witness.db under a newer head', (file) => {
			const triggers = execFileSync('sqlite3', [file('witness.db'),
				`select 'drop trigger "' || name || '";' from sqlite_schema where type = 'trigger'`]).toString();
			const create = execFileSync('sqlite3', [file('witness.db'), `select sql || ';' from sqlite_schema where type = 'trigger'`]).toString();
			execFileSync('sqlite3', [file('witness.db'), `${triggers} delete from event where seq > (select max(seq) from event) - 10;
				delete from checkpoint where size > (select count(*) from event); ${create}`]);
		}, /head/],
		['keys.db that is gone', (file) => {
			for (const name of ['keys.db', 'keys.db-wal', 'keys.db-shm']) fs.rmSync(file(name), { force: true });
		}, /keys\.db/],
		['keys.db that is text', (file) => fs.writeFileSync(file('keys.db'), 'hello\n'.repeat(1000)), /keys\.db/],
	];
	for (const [what, spoil, wanted] of rows) {
		it(what, async () => {
			fresh();
			spoil((name) => path.join(cluster.data, name));
			assert.match(await refused(cluster), wanted);
		});
	}

	it('an old witness.db under a newer head is served read-only: that is said once, with the range, and nobody tries again', async () => {
		fresh();
		const [, spoil] = rows.find(([what]) => what.startsWith('an old witness.db'));
		spoil((name) => path.join(cluster.data, name));
		const said = await refused(cluster);
		const count = (pattern) => (said.match(pattern) ?? []).length;
		assert.equal(count(/the log is served read-only: .*head/g), 1, said);
		assert.match(said, /witness.*served read-only: .*\d+/);
		assert.ok(count(/session started/g) <= 1 && count(/allocation started/g) <= 1, said);
		assert.ok(count(/refuses the claim of stream \w+: the evidence log is served read-only/g) >= 1, said);
		assert.match(said, /(session|allocation) ended before it ever answered, start 1/);
		// What is there can still be read.
		assert.equal((await cluster.ifreplay('log', '--limit', '1')).code, 0);
	});

	it('starts again once it is put back', async () => {
		fresh();
		await cluster.up();
		await someTraffic(cluster);
		const { code, text } = await cluster.ifreplay('verify');
		assert.equal(code, 0, text);
		await cluster.stop();
	});
});

// Mounts a small file system; the reason if that is not allowed here.
function mount(directory, options) {
	fs.mkdirSync(directory, { recursive: true });
	const result = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], { encoding: 'utf8' });
	return result.status === 0 ? null : `cannot mount: ${result.error ?? result.stderr.trim()}`;
}

describe('a disk that fails', () => {
	it('is read-only: it says so and ends', async (t) => {
		const cluster = await prepare('readonly');
		const reason = process.getuid() === 0 ? mount(cluster.data, 'ro,size=1m,mode=0700') : null;
		if (reason) return t.skip(reason);
		if (process.getuid() !== 0) fs.mkdirSync(cluster.data, { mode: 0o500, recursive: true });
		try {
			const said = await refused(cluster);
			assert.ok(said.includes(cluster.data), said);
			assert.match(said, /[Rr]ead-only|[Pp]ermission/);
		} finally {
			if (process.getuid() === 0) execFileSync('umount', [cluster.data]);
			await cluster.close();
		}
	});

	it('is full: new work is refused, nothing acknowledged is lost, and with room the log goes on (threat_G6)', async (t) => {
		const cluster = await prepare('full');
		const reason = process.getuid() === 0 ? mount(cluster.data, 'size=64m,mode=0700') : 'only root can mount a small disk';
		if (reason) return t.skip(reason);
		const writer = new Agent('writer');
		const reader = new Agent('reader');
		try {
			await cluster.up();
			for (const agent of [writer, reader]) {
				await agent.open(cluster.url);
				await agent.register();
			}
			const { bavail, bsize } = fs.statfsSync(cluster.data);
			fs.writeFileSync(path.join(cluster.data, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - 256 * 1024)));

			// What reached the reader is acknowledged; at some point nothing does any more.
			const offers = () => reader.all.filter((text) => text.includes('"type":"offer"')).length;
			const over = () => writer.closed || reader.closed || cluster.child.exitCode !== null;
			for (let sent = 0; sent < 20_000 && !over();) {
				for (let n = 0; n < 50; n++) writer.send(offer('writer', 'reader', `n=${sent++}`));
				if (!await until('offers', () => offers() >= sent || over(), 3_000).catch(() => false)) break;
			}
			const acknowledged = offers();
			const lines = () => cluster.err.split('\n');
			const tail = () => `${acknowledged} offers arrived, ${lines().length} lines:\n${lines().slice(0, 30).join('\n')}`;
			await until('a word about it', () => /disk (is )?full|no space/i.test(cluster.err), 10_000)
				.catch((error) => assert.fail(`${error.message}; ${tail()}`));
			await sleep(2_000);
			assert.ok(lines().length < 300, `the log is not flooded: ${tail()}`);
			await cluster.stop().catch(() => {});
			fs.rmSync(path.join(cluster.data, 'filler'));

			await cluster.up();
			await someTraffic(cluster);
			const { code, text } = await cluster.ifreplay('verify');
			assert.equal(code, 0, text);
			const logged = (await cluster.log('sdp_offer_relayed')).length;
			assert.ok(logged >= acknowledged + 3, `${logged} logged, ${acknowledged} acknowledged`);
			await cluster.stop();
		} finally {
			for (const agent of [writer, reader]) agent.socket?.terminate();
			await cluster.stop().catch(() => {});
			execFileSync('umount', ['-l', cluster.data]);
			await cluster.close();
		}
	});
});
