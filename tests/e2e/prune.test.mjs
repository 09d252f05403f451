// A cluster whose log holds a month that is old: its witness prunes it by itself, beside its work. Nothing of these
// entries is left in any file, old proofs live, a restart needs none of them, and an export names what is gone. What is
// only called pruned is refused by every checker.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Agent, join, offer } from './lib/agent.mjs';
import { Bundle, signer } from './lib/bundle.mjs';
import { checkersIn } from './lib/checkers.mjs';
import { bin, kill, prepare, run, temporary, until } from './lib/cluster.mjs';

// What goes of the story that tests/prune_io_test.c tells: it was September 2026 then.
const FIRST = 256;
const END = 1024;
const KEPT = 1100;
const OMISSIONS = 'data/omissions.jsonl';
const EVENTS = 'data/events.jsonl';
const PRUNED = 'data/pruned.jsonl';

function files(directory) {
	return fs.readdirSync(directory, { withFileTypes: true }).flatMap((item) => {
		const at = path.join(directory, item.name);
		return item.isDirectory() ? files(at) : item.isFile() ? [at] : [];
	});
}

describe('prune', () => {
	const folder = temporary('prune-bundles');
	let cluster;
	let checking;
	let entry; // one that goes, as it was
	let proof; // and the proof of it from then
	let said; // the log_pruned
	let honest;
	let exporter;

	const ifreplay = async (...args) => {
		const result = await cluster.ifreplay(...args);
		assert.equal(result.code, 0, result.text);
		return result;
	};

	before(async () => {
		cluster = await prepare('prune', { node: 'test', 'retain.payload_days': 30, 'retain.envelope_months': 1 });
		checking = await checkersIn(folder);
		assert.equal((await run(path.join(bin, '../tests/prune_io_test'), [cluster.data])).code, 0);
		entry = Buffer.from(JSON.parse((await ifreplay('show', '600', '--json')).out).entry_b64, 'base64');
		proof = (await ifreplay('prove', '600')).out;
		assert.ok(files(cluster.data).some((file) => fs.readFileSync(file).includes(entry)));
		await cluster.up();
	});
	after(async () => {
		await cluster.close();
		fs.rmSync(folder, { recursive: true, force: true });
	});

	it('goes by itself, under a signed statement, while agents meet', () => cluster.telling(async () => {
		const [a, b] = await Promise.all(['dora', 'emil'].map((name) => join(cluster.url, name)));
		[said] = await until('the witness prunes', async () => {
			a.send(offer('dora', 'emil', 'sdp'));
			await b.next('offer');
			const events = await cluster.log('log_pruned');
			return events.length > 0 && events;
		}, 60_000);
		assert.deepEqual([said.fields.first, said.fields.end], [FIRST, END]);
		await until('nothing of it is left', () => !files(cluster.data).some((file) => fs.readFileSync(file).includes(entry)), 60_000);
		assert.equal((await cluster.log('log_pruned')).length, 1);
		await Promise.all([a.close(), b.close()]);
	}));

	it('holds, and tells pruned from missing', async () => {
		const { out } = await ifreplay('verify', '--json');
		const summary = out.split('\n').filter(Boolean).map((line) => JSON.parse(line)).find((line) => line.kind === 'summary');
		assert.equal(summary.breaks, 0);
		assert.equal(summary.pruned, END - FIRST);
		const shown = await cluster.ifreplay('show', '600');
		assert.equal(shown.code, 1);
		assert.match(shown.text, new RegExp(`entry 600 was pruned with ${FIRST} to ${END - 1}, as event ${said.seq} says`));
	});

	it('leaves the proofs of before as good as they were, and gives new ones', async () => {
		const hashes = proof.split('\n\n')[0].split('\n').slice(2);
		const now = await ifreplay('prove', '600');
		assert.match(now.err, /the proof holds for whoever keeps the entry/);
		// Both begin with the path inside the tile, which both checkpoints cover.
		assert.deepEqual(now.out.split('\n\n')[0].split('\n').slice(2, 10), hashes.slice(0, 8));
	});

	it('has nothing more to do when it is asked', async () => {
		const { out } = await ifreplay('retain', '--envelope-months', '1', '--json');
		assert.equal(JSON.parse(out).pruned_entries, 0);
		assert.match((await ifreplay('retain', '--envelope-months', '1', '--dry-run')).out, /segments of 256: it was pruned before/);
	});

	it('is not needed by actors that are killed, nor by a new start', () => cluster.telling(async () => {
		for (const name of ['session', 'allocation', 'witness']) {
			kill((await cluster.status()).actors.find((actor) => actor.name === name).pid);
			await until(`${name} is back`, async () => (await fetch(`${cluster.http}ready`)).status === 200);
		}
		await cluster.stop();
		await cluster.up();
		const agent = await new Agent('dora').open(cluster.url);
		await agent.register();
		await agent.close();
		await ifreplay('state');
	}));

	it('is named by an export, and every checker agrees', async () => {
		const file = path.join(folder, 'honest.tar');
		await ifreplay('export', file, '--from', '1000', '--to', String(KEPT), '--profile', 'none');
		const to = path.join(folder, 'honest');
		fs.mkdirSync(to);
		assert.equal((await run('tar', ['xf', file, '-C', to])).code, 0);
		exporter = signer('ifswarm.local/test/export', Buffer.from(fs.readFileSync(path.join(cluster.data, 'private/export.key'), 'utf8').trim(), 'hex'));
		honest = Bundle.read(to, exporter);
		const omitted = honest.files.get(OMISSIONS).toString().split('\n').filter(Boolean).map((line) => JSON.parse(line));
		assert.equal(omitted.length, END - 1000);
		assert.ok(omitted.every((line) => line.reason === 'pruned' && line.pruned_by === said.seq));
		for (const [name, { code, text }] of await checking.verdicts({ folder: to })) assert.equal(code, 0, `${name}\n${text}`);
		const again = honest.copy();
		again.sign();
		for (const [name, { code, text }] of await checking.verdicts(checking.place(again))) assert.equal(code, 0, `${name}\n${text}`);
	});

	// By somebody with the export key itself, who makes every sum right.
	const lies = [
		['an event that is there, called pruned', (b) => {
			const row = b.files.get(EVENTS).toString().split('\n').find((line) => line.startsWith(`{"seq":${KEPT},`));
			b.edit(EVENTS, (text) => text.replace(`${row}\n`, ''));
			b.edit(OMISSIONS, (text) => `${text}${JSON.stringify({ seq: KEPT, leaf_hash: JSON.parse(row).leaf_hash, reason: 'pruned', pruned_by: said.seq })}\n`);
			b.files.delete('data/events.csv');
			b.files.delete('data/evidence.db');
			Object.assign(b.manifest, { disclosed: b.manifest.disclosed - 1, omitted: b.manifest.omitted + 1 });
		}],
		['no log_pruned', (b) => b.files.delete(PRUNED)],
		['an event that is no log_pruned', (b) => b.edit(PRUNED, () => {
			const [, head] = b.files.get(EVENTS).toString().split('\n')[0].match(/^(\{"seq":\d+,"leaf_hash":"[0-9a-f]+","entry_b64":"[^"]*")/);
			return `${head}}\n`;
		})],
		['a log_pruned that the tree does not hold', (b) => b.edit(PRUNED, (text) => text.replace(/"entry_b64":"([^"]*)"/, (_, base64) => {
			const bytes = Buffer.from(base64, 'base64');
			bytes[bytes.length - 1] ^= 1;
			return `"entry_b64":"${bytes.toString('base64')}"`;
		}))],
		['an omission that names another event', (b) => b.edit(OMISSIONS, (text) => text.replace(`"pruned_by":${said.seq}`, `"pruned_by":${said.seq - 1}`))],
		['an omission that names none', (b) => b.edit(OMISSIONS, (text) => text.replace(`,"pruned_by":${said.seq}`, ''))],
		['the tile of the log_pruned left out', (b) => b.files.delete([...b.files.keys()].filter((name) => name.startsWith('log/tile/0/')).sort().at(-1))],
	];
	for (const [what, deed] of lies) {
		it(`refuses: ${what}`, async () => {
			const forged = honest.copy();
			deed(forged);
			forged.sign();
			await checking.refused(checking.place(forged));
		});
	}
});
