// What a reviewer relies on: the log tells the story, its signature can be checked without us, and nobody
// changes a byte of it unnoticed.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { join, offer } from './lib/agent.mjs';
import { run, start, temporary } from './lib/cluster.mjs';
import { TurnClient, echoPeer } from './lib/turn.mjs';

const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

// A note of C2SP: what is signed, and its first signature.
function readNote(text) {
	const end = text.indexOf('\n\n');
	const [, name, blob] = /^\u2014 (\S+) (\S+)$/m.exec(text.slice(end));
	return { signed: text.slice(0, end + 1), name, signature: Buffer.from(blob, 'base64').subarray(4) };
}

async function sqlite(database, sql) { return run('sqlite3', [database, sql]); }

const OFFERS = 300;

describe('evidence', () => {
	let cluster;
	let copies;
	before(async () => {
		cluster = await start('evidence', { 'allowed-peer-ip': '127.0.0.1' });
		copies = temporary('copies');
		const alice = await join(cluster.url, 'alice', { room: 'room-one' });
		const bob = await join(cluster.url, 'bob', { room: 'room-one' });
		// More than the 256 entries of a tile: in a full tile a changed entry can be named.
		for (let n = 0; n < OFFERS; n++) alice.send(offer('alice', 'bob', `sdp ${n}`));
		for (let n = 0; n < OFFERS; n++) await bob.next('offer');

		const credential = await cluster.credential('alice');
		const turn = new TurnClient({ port: cluster.ports.turn, username: credential.username, password: credential.credential });
		const peer = await echoPeer();
		let back = 0;
		turn.on('data', () => { back++; });
		await turn.allocate();
		await turn.bindChannel(0x4000, peer);
		for (let n = 0; n < 20; n++) await turn.sendChannel(0x4000, Buffer.alloc(100));
		await turn.refresh(0);
		await Promise.all([turn.close(), peer.close(), alice.close(), bob.close()]);
	});
	after(async () => {
		await cluster?.close();
		fs.rmSync(copies, { recursive: true, force: true });
	});

	// A data directory that may be spoiled.
	let serial = 0;
	function copy() {
		const to = path.join(copies, String(++serial));
		fs.cpSync(cluster.data, to, { recursive: true, filter: (from) => !fs.lstatSync(from).isSocket() });
		return to;
	}
	const verify = (data, ...more) => cluster.ifreplay('verify', '--data-dir', data, ...more);

	it('verifies while the cluster runs', async () => {
		const { code, text } = await cluster.ifreplay('verify');
		assert.equal(code, 0, text);
	});

	it('is backed up while it runs: verified, listed, and itself in the log', async () => {
		const to = path.join(copies, 'backup');
		const made = await cluster.ifreplay('backup', to);
		assert.equal(made.code, 0, made.text);
		assert.doesNotMatch(made.text, /not logged/);
		const listed = await run('sh', ['-c', `cd '${to}' && sha256sum -c MANIFEST.sha256`]);
		assert.equal(listed.code, 0, listed.text);
		assert.ok(!fs.existsSync(path.join(to, 'keys.db')));
		const copied = await verify(to);
		assert.equal(copied.code, 0, copied.text);
		const [event] = await cluster.log('backup_made');
		const manifest = (await run('sha256sum', [path.join(to, 'MANIFEST.sha256')])).out.split(' ')[0];
		assert.equal(event.fields.manifest, manifest);
	});

	it('proves an entry over a checkpoint that openssl can check, and that it grew from an older one', async () => {
		const old = path.join(copies, 'old-checkpoint');
		fs.copyFileSync(path.join(cluster.data, 'pub/checkpoint'), old);
		const { code, out, text } = await cluster.ifreplay('prove', '0');
		assert.equal(code, 0, text);
		assert.match(out, /^c2sp\.org\/tlog-proof@v1\nindex 0\n([A-Za-z0-9+/]{43}=\n)+\nifswarm\.local\//);
		const grown = await cluster.ifreplay('prove', '--from-checkpoint', old);
		assert.equal(grown.code, 0, grown.text);
		assert.match(grown.out, /^ifswarm\.local\/consistency@v1\nold \d+\n/);
	});

	it('keeps names and addresses out of the log file (rule 6)', () => {
		for (const name of ['witness.db', 'witness.db-wal']) {
			const file = path.join(cluster.data, name);
			if (!fs.existsSync(file)) continue;
			const bytes = fs.readFileSync(file);
			assert.equal(bytes.indexOf('alice'), -1, name);
			assert.equal(bytes.indexOf('room-one'), -1, name);
		}
	});

	it('tells the life of an agent: its registration, its offers, its allocation', async () => {
		const { code, text } = await cluster.ifreplay('agent', 'alice');
		assert.equal(code, 0, text);
		for (const words of ['registered in room room-one', 'sent an offer to bob', 'was given the relay 127.0.0.1:',
			'bound channel 0x4000', 'ended (released); in all 2.0 kB up', 'left room room-one']) {
			assert.ok(text.includes(words), `${words} in\n${text}`);
		}
		const unknown = await cluster.ifreplay('agent', 'nobody-of-that-name');
		assert.equal(unknown.code, 1, unknown.text);
	});

	it('logs, shows and prints its state; exit codes are 0 and 2', async () => {
		const log = await cluster.log();
		log.forEach((event, n) => assert.equal(event.seq, n));
		assert.equal((await cluster.ifreplay('show', '0')).code, 0);
		assert.equal((await cluster.ifreplay('state')).code, 0);
		assert.equal((await cluster.ifreplay('no-such-command')).code, 2);
		assert.equal((await cluster.ifreplay('log', '--no-such-option')).code, 2);
		assert.equal((await cluster.ifreplay('--help')).code, 0);
	});

	it('writes no secret anywhere', async () => {
		const { credential } = await cluster.credential('alice');
		assert.ok(!cluster.err.includes(credential) && !cluster.out.includes(credential));
	});

	it('stops in order', async () => {
		const { code } = await cluster.stop();
		assert.equal(code, 0, cluster.err);
		const result = await verify(cluster.data);
		assert.equal(result.code, 0, result.text);
	});

	it('has a checkpoint that openssl alone can check', async () => {
		const { signed, name, signature } = readNote(fs.readFileSync(path.join(cluster.data, 'pub/checkpoint'), 'utf8'));
		const vkey = fs.readFileSync(path.join(cluster.data, 'log.vkey'), 'utf8').trim();
		const [origin] = signed.split('\n');
		assert.equal(name, origin);
		assert.ok(vkey.startsWith(`${origin}+`));
		const raw = Buffer.from(vkey.split('+').slice(2).join('+'), 'base64');
		assert.equal(raw.length, 33);
		assert.equal(raw[0], 1); // Ed25519

		const files = { key: path.join(copies, 'key.der'), text: path.join(copies, 'text'), signature: path.join(copies, 'sig') };
		fs.writeFileSync(files.key, Buffer.concat([SPKI_ED25519, raw.subarray(1)]));
		fs.writeFileSync(files.text, signed);
		fs.writeFileSync(files.signature, signature);
		const check = () => run('openssl', ['pkeyutl', '-verify', '-pubin', '-keyform', 'DER', '-inkey', files.key,
			'-rawin', '-in', files.text, '-sigfile', files.signature]);
		const good = await check();
		assert.equal(good.code, 0, good.text);
		fs.writeFileSync(files.text, signed.replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) + 1}\n`));
		assert.notEqual((await check()).code, 0);
	});

	it('publishes the size and root that the log has', async () => {
		const { signed } = readNote(fs.readFileSync(path.join(cluster.data, 'pub/checkpoint'), 'utf8'));
		const size = Number(signed.split('\n')[1]);
		assert.equal((await sqlite(path.join(cluster.data, 'witness.db'), 'select count(*) from event')).out.trim(), String(size));
	});

	describe('refuses to be changed by the sqlite3 program', () => {
		const rows = [
			['UPDATE', "update event set entry = x'00' where seq = 3"],
			['DELETE', 'delete from event where seq = 3'],
			['DELETE of the last', 'delete from event where seq = (select max(seq) from event)'],
			['INSERT OR REPLACE', 'insert or replace into event select * from event where seq = 3'],
			['REPLACE', 'replace into event select * from event where seq = 3'],
			['UPDATE OR REPLACE', 'update or replace event set seq = 4 where seq = 3'],
			['a checkpoint that is changed', "update checkpoint set note = 'x'"],
			['a checkpoint that is deleted', 'delete from checkpoint'],
		];
		for (const [what, sql] of rows) {
			it(what, async () => {
				const data = copy();
				const result = await sqlite(path.join(data, 'witness.db'), sql);
				assert.notEqual(result.code, 0);
				assert.equal((await verify(data)).code, 0);
			});
		}
	});

	describe('verify finds (threat_G8)', () => {
		const drop = `select 'drop trigger "' || name || '";' from sqlite_schema where type = 'trigger'`;
		async function spoil(sql) {
			const data = copy();
			const database = path.join(data, 'witness.db');
			const triggers = (await sqlite(database, drop)).out;
			const result = await sqlite(database, `${triggers}\n${sql}`);
			assert.equal(result.code, 0, result.text);
			return data;
		}
		const last = '(select max(seq) from event)';
		const rows = [
			['one changed byte of an entry', "update event set entry = cast(substr(entry, 1, 20) || case substr(entry, 21, 1) when x'00' then x'01' else x'00' end || substr(entry, 22) as blob) where seq = 7", /\b7\b/],
			['a deleted row', 'delete from event where seq = 7', /\b7\b/],
			['two rows changed for one another', 'update event set entry = (select e.entry from event e where e.seq = 15 - event.seq) where seq in (7, 8)', /\b7\b/],
			['one changed byte of an entry after the last full tile', `update event set entry = cast(substr(entry, 1, 20) || case substr(entry, 21, 1) when x'00' then x'01' else x'00' end || substr(entry, 22) as blob) where seq = ${last}`, /checkpoint/],
			['the last row cut off', `delete from event where seq = ${last}`, /\d/],
			['the last five rows cut off', `delete from event where seq > ${last} - 5`, /\d/],
		];
		for (const [what, sql, names] of rows) {
			it(what, async () => {
				const result = await verify(await spoil(sql));
				assert.equal(result.code, 1, result.text);
				assert.match(result.text, names);
				assert.ok(!/AddressSanitizer|runtime error/.test(result.text), result.text);
			});
		}

		it('every broken row, not the first alone', async () => {
			const data = await spoil("update event set entry = cast(substr(entry, 1, 20) || case substr(entry, 21, 1) when x'00' then x'01' else x'00' end || substr(entry, 22) as blob) where seq in (5, 9)");
			const { code, text } = await verify(data);
			assert.equal(code, 1);
			assert.match(text, /\b5\b/);
			assert.match(text, /\b9\b/);
		});

		it('bytes changed in the file itself', async () => {
			const data = copy();
			const file = path.join(data, 'witness.db');
			const hex = (await sqlite(file, 'select hex(entry) from event where seq = 9')).out.trim();
			const bytes = fs.readFileSync(file);
			const at = bytes.indexOf(Buffer.from(hex, 'hex'));
			assert.ok(at > 0);
			bytes[at + 30] ^= 1;
			fs.writeFileSync(file, bytes);
			const { code, text } = await verify(data);
			assert.equal(code, 1, text);
			assert.match(text, /\b9\b/);
		});

		it('a forged checkpoint', async () => {
			const { code, text } = await verify(await spoil(
				"update checkpoint set note = cast(replace(cast(note as text), char(10) || char(10), char(10) || 'x' || char(10) || char(10)) as blob) where size = (select max(size) from checkpoint)"));
			assert.equal(code, 1, text);
		});

		it('an old log under a newer head', async () => {
			const { code, text } = await verify(await spoil(
				`delete from event where seq > ${last} - 3; delete from checkpoint where size > (select count(*) from event)`));
			assert.equal(code, 1, text);
			assert.match(text, /head/);
		});
	});

	it('verify says what it does not prove', async () => {
		const { text } = await verify(cluster.data);
		assert.match(text, /not prove/i);
	});
});
