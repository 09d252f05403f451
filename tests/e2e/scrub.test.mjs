// The log is read again: by hand over a stopped cluster, whose file somebody changed; in the background beside a running one.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { join, offer } from './lib/agent.mjs';
import { kill, start, until } from './lib/cluster.mjs';

async function someTraffic(cluster, rounds) {
	const a = await join(cluster.url, 'a');
	const b = await join(cluster.url, 'b');
	for (let n = 0; n < rounds; n++) {
		a.send(offer('a', 'b', `n=${n}`));
		if (n % 50 === 49) await until('the offers', () => b.all.filter((text) => text.includes('"type":"offer"')).length > n);
	}
	await until('the offers', () => b.all.filter((text) => text.includes('"type":"offer"')).length >= rounds);
	await Promise.all([a.close(), b.close()]);
}

const place = (cluster) => path.join(cluster.data, 'scrub/state');
const state = (cluster) => Object.fromEntries(fs.readFileSync(place(cluster), 'utf8').trim().split('\n').slice(1)
	.map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]));

// A last round that began long ago: the next one is due.
function makeDue(cluster) {
	const values = { next: 0, end: 0, began: 1, findings: 0, tries: 0, ended: 0, 'ended-size': 0, 'ended-findings': 0 };
	fs.mkdirSync(path.dirname(place(cluster)), { recursive: true, mode: 0o700 });
	fs.writeFileSync(place(cluster), `ifswarm scrub 1\n${Object.entries(values).map(([key, value]) => `${key} ${value}\n`).join('')}`);
}

// The child that the supervisor started for it.
function child(cluster) {
	const children = fs.readFileSync(`/proc/${cluster.child.pid}/task/${cluster.child.pid}/children`, 'utf8').trim().split(' ');
	return children.map(Number).find((pid) => {
		try {
			return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes('scrub');
		} catch {
			return false;
		}
	});
}

const places = (cluster) => [...cluster.err.matchAll(/reading the log again from entry (\d+) of (\d+)/g)].map((match) => Number(match[1]));

describe('a stopped log whose file was changed', () => {
	let cluster;
	before(async () => {
		cluster = await start('scrub');
		await someTraffic(cluster, 700);
		await cluster.stop();
		execFileSync('sqlite3', [path.join(cluster.data, 'witness.db'), 'pragma wal_checkpoint(truncate)']);
	});
	after(() => cluster?.close());
	const json = (out) => out.trim().split('\n').map((line) => JSON.parse(line));

	it('holds before, and the run that ends the round is in the log', async () => {
		const { code, out, text } = await cluster.ifreplay('scrub', '--json');
		assert.equal(code, 0, text);
		const summary = json(out).at(-1);
		assert.equal(summary.holds, true);
		assert.equal(summary.entries, summary.round_size);
		const event = (await cluster.log('log_scrubbed')).at(-1);
		assert.deepEqual([event.fields.first, event.fields.end, event.fields.findings], [0, summary.round_size, 0]);
	});

	it('one byte of one row flipped in the file is named, with its range and what to do (threat_G8)', async () => {
		const file = path.join(cluster.data, 'witness.db');
		execFileSync('sqlite3', [file, 'pragma wal_checkpoint(truncate)']);
		const entry = Buffer.from(execFileSync('sqlite3', [file, 'select hex(entry) from event where seq = 300']).toString().trim(), 'hex');
		const bytes = fs.readFileSync(file);
		const at = bytes.indexOf(entry);
		assert.ok(at > 0 && bytes.indexOf(entry, at + 1) < 0);
		bytes[at + entry.length - 1] ^= 1; // of the nonce: still canonical
		fs.writeFileSync(file, bytes);

		const first = await cluster.ifreplay('scrub', '--limit', '256', '--json');
		assert.equal(first.code, 0, first.text);
		assert.equal(json(first.out).at(-1).next, 256);
		const { code, out, text } = await cluster.ifreplay('scrub', '--limit', '256', '--json');
		assert.equal(code, 1, text);
		const breaks = json(out).filter((line) => line.kind === 'break');
		const found = breaks.find((line) => line.where === 'seq 300');
		assert.equal(found?.what, 'the entry is not the one whose hash was recorded', text);
		assert.ok(breaks.every((line) => line.first === 256), text);
		assert.deepEqual([found.first, found.last], [256, 511]);
		assert.match(found.expected, /^[0-9a-f]{64}$/);
		assert.match(found.found, /^[0-9a-f]{64}$/);
		assert.match(found.todo, /ifreplay doctor.*ifreplay repair --from/);
		const event = (await cluster.log('log_scrubbed')).at(-1);
		assert.deepEqual([event.fields.first, event.fields.end], [256, 512]);
		assert.ok(event.fields.findings > 0);
		const doctor = await cluster.ifreplay('doctor');
		assert.equal(doctor.code, 1);
		assert.match(doctor.out, /breaks were found when the log was last read again/);

		bytes[at + entry.length - 1] ^= 1;
		const now = fs.openSync(file, 'r+');
		fs.writeSync(now, bytes, at, entry.length, at);
		fs.closeSync(now);
		const all = await cluster.ifreplay('scrub', '--all');
		assert.equal(all.code, 0, all.text);
		assert.match(all.out, /it holds/);
	});

	it('usage is answered with 2', async () => {
		assert.equal((await cluster.ifreplay('scrub', '--if-older', '99999')).code, 2);
		assert.equal((await cluster.ifreplay('scrub', '--no-such')).code, 2);
		assert.equal((await cluster.ifreplay('scrub', '--help')).code, 0);
	});
});

describe('a running log', () => {
	let cluster;
	before(async () => {
		cluster = await start('scrub');
		await someTraffic(cluster, 1500);
		await cluster.stop();
		makeDue(cluster);
	});
	after(() => cluster?.close());

	it('is read again in the background, at idle priority; a killed child harms nothing, the next goes on', async () => {
		await cluster.up();
		await cluster.telling(async () => {
			await until('a first block', () => state(cluster).next >= 256, 20_000);
			const pid = child(cluster);
			assert.ok(pid > 0);
			assert.match(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'), /^\d+ \(ifreplay\)/);
			// Field 41 is the scheduling policy: 5 is SCHED_IDLE.
			assert.equal(fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[38], '5');
			kill(pid);
			await until('another child', () => places(cluster).length === 2, 30_000);
			assert.ok(places(cluster)[1] >= 256, cluster.err);
			assert.equal((await cluster.status()).actors.every((actor) => actor.restarts === 0), true);
		});
	});

	it('goes on after a restart, and the end of the round is logged and told', async () => {
		const { end } = state(cluster);
		await cluster.stop();
		const { next } = state(cluster);
		assert.ok(next >= 256 && next < end, `${next} of ${end}`);
		await cluster.up();
		await cluster.telling(async () => {
			const rounds = async () => (await cluster.log('log_scrubbed')).filter((event) => event.fields.first === 0);
			await until('the end of the round', async () => (await rounds()).length > 0, 60_000);
			assert.ok(places(cluster)[0] >= next, cluster.err);
			const [event] = await rounds();
			assert.deepEqual([event.fields.end, event.fields.findings], [end, 0]);
			await until('its state', () => state(cluster).ended > 0);
			const { scrub } = await cluster.status();
			assert.deepEqual([scrub.size, scrub.findings, scrub.end], [end, 0, 0]);
			assert.match((await cluster.ifswarm('status')).out, /^scrub: last whole round \d{4}-.*0 findings$/m);
			assert.match((await cluster.ifreplay('doctor')).out, /last read again: \d{4}-/);
			const metrics = await until('the metrics', async () => {
				const text = await (await fetch(`${cluster.http}metrics`)).text();
				return /^ifswarm_scrub_last_end_timestamp_seconds [1-9]\d+$/m.test(text) && text;
			});
			assert.match(metrics, /^ifswarm_scrub_findings 0$/m);
			await until('the child to end', () => !child(cluster));
			const { code, text } = await cluster.ifreplay('verify');
			assert.equal(code, 0, text);
		});
	});
});
