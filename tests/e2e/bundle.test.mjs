// What a reviewer relies on when a bundle comes from somebody who had it in hand: each kind of tampering is refused
// by each of the checkers that share no code: sh with openssl, python3, Go's own transparency log, and ours.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Bundle, Log, makeEntry, sha256, signer, tar, tarMember } from './lib/bundle.mjs';
import { join, offer } from './lib/agent.mjs';
import { bin, run, source, start, temporary } from './lib/cluster.mjs';

const ORIGIN = 'ifswarm.local/node1';
// Small, and yet with two levels of tiles, a partial one, and subtrees on both sides of the range.
const SIZE = 264;
const FROM = 128;
const END = 262;
const OMIT = [150, 151, 200];
const PREVIOUS = 260;
const SEALED = new Map([[140, [{ salt: Buffer.alloc(32, 9), body: Buffer.alloc(40, 8) }]]]);

const logKey = signer(ORIGIN, 7);
const exporter = signer(`${ORIGIN}/export`, 8);
const thief = signer(`${ORIGIN}/export`, 66);
const entries = Array.from({ length: SIZE }, (_, seq) => makeEntry(seq, SEALED.get(seq)));
const log = new Log(entries, ORIGIN, logKey);
// The same origin, another history, and the key of somebody who has not the log's.
const foreign = new Log(entries.map((_, seq) => makeEntry(seq + 300)), ORIGIN, signer(ORIGIN, 67));
const scope = { size: SIZE, from: FROM, end: END, omit: OMIT, previous: PREVIOUS, exporter, sealed: SEALED };
const honest = new Bundle(log, scope);
const whole = new Bundle(log, { size: SIZE, from: 0, end: 100, exporter });
const other = new Bundle(foreign, scope);

const verifiers = path.join(source, 'replay/verifier');
const folder = temporary('bundle');
const go = path.join(folder, 'gocheck');
const ifreplay = path.join(bin, 'ifreplay');
let knowsBundles = false;
let serial = 0;

const nothing = () => null;
// Each takes a folder or a tar; null: it does not read this kind.
const checkers = {
	'verify.sh': (at, keys) => (at.folder ? run('sh', [path.join(verifiers, 'verify.sh'), ...keys, at.folder]) : nothing()),
	'verify.py': (at, keys) => run('python3', [path.join(verifiers, 'verify.py'), ...keys, at.tar ?? at.folder]),
	gocheck: (at, keys) => (at.folder ? run(go, [...keys, at.folder]) : nothing()),
	'verify-bundle': (at, keys) => (knowsBundles ? run(ifreplay, ['verify-bundle', ...keys, at.tar ?? at.folder]) : nothing()),
};

function place(bundle, links = []) {
	const to = path.join(folder, String(++serial));
	fs.mkdirSync(to);
	bundle.unpack(to);
	for (const [name, target] of links) fs.symlinkSync(target, path.join(to, name));
	return { folder: to };
}

function placeTar(bytes) {
	const to = path.join(folder, `${++serial}.tar`);
	fs.writeFileSync(to, bytes);
	return { tar: to };
}

async function verdicts(at, keys = []) {
	const results = await Promise.all(Object.entries(checkers).map(async ([name, check]) => [name, await check(at, keys)]));
	return results.filter(([, result]) => result);
}

const flip = (at) => (bytes) => { bytes[at] ^= 1; };
const swapLines = (text, a, b) => {
	const lines = text.split('\n');
	[lines[a], lines[b]] = [lines[b], lines[a]];
	return lines.join('\n');
};
const without = (text, start) => text.split('\n').filter((line) => !line.startsWith(start)).join('\n');
const EVENTS = 'data/events.jsonl';
const OMISSIONS = 'data/omissions.jsonl';
const omission = (seq) => `${JSON.stringify({ seq, leaf_hash: log.leaves[seq].toString('hex'), reason: 'filter' })}\n`;
const changeEntry = (text, seq) => text.replace(new RegExp(`^(\\{"seq":${seq},.*"entry_b64":")([^"]*)`, 'm'), (_, before, entry) => {
	const bytes = Buffer.from(entry, 'base64');
	bytes[20] ^= 1;
	return before + bytes.toString('base64');
});

// [what was done, to which bundle, the deed]. Whoever has no key can at most make the sums right again.
const bare = [
	['a byte of an entry flipped', (b) => b.edit(EVENTS, (text) => changeEntry(text, 180))],
	['a row edited', (b) => b.edit(EVENTS, (text) => text.replace('"stream":1', '"stream":2'))],
	['an event removed, named as omitted', (b) => { b.edit(EVENTS, (text) => without(text, '{"seq":190,')); b.edit(OMISSIONS, (text) => omission(190) + text); }],
	['an event removed', (b) => b.edit(EVENTS, (text) => without(text, '{"seq":190,'))],
	['two events swapped', (b) => b.edit(EVENTS, (text) => swapLines(text, 3, 4))],
	['an event twice', (b) => b.edit(EVENTS, (text) => `${text.split('\n')[0]}\n${text}`)],
	['the checkpoint of another log', (b) => b.files.set('log/checkpoint', other.files.get('log/checkpoint'))],
	['the checkpoint\'s signature flipped', (b) => b.edit('log/checkpoint', (text) => text.replace(/(\u2014 \S+ )(.{20})(.)/, (_, a, c, d) => a + c + (d === 'A' ? 'B' : 'A')))],
	['the checkpoint\'s size changed', (b) => b.edit('log/checkpoint', (text) => text.replace('\n264\n', '\n263\n'))],
	['the checkpoint\'s root changed', (b) => b.edit('log/checkpoint', (text) => text.replace(/\n[^\n]{44}\n/, `\n${Buffer.alloc(32).toString('base64')}\n`))],
	['a hash of a tile changed', (b) => b.editBytes('log/tile/0/000', flip(32 * 130))],
	['a tile cut off', (b) => b.editBytes('log/tile/0/000', (bytes) => bytes.subarray(0, 32 * 200))],
	['a tile of level 1 changed', (b) => b.editBytes('log/tile/1/000.p/1', flip(1))],
	['a file added', (b) => b.files.set('data/more.txt', Buffer.from('x'))],
	['a file removed', (b) => b.files.delete('data/events.csv')],
	['a file renamed', (b) => { b.files.set('data/event.csv', b.files.get('data/events.csv')); b.files.delete('data/events.csv'); }],
	['an omission\'s hash changed', (b) => b.edit(OMISSIONS, (text) => text.replace(/"leaf_hash":"../, '"leaf_hash":"zz'.replace('zz', text.includes('"leaf_hash":"00') ? '01' : '00')))],
	['an omission doubled', (b) => b.edit(OMISSIONS, (text) => `${text.split('\n')[0]}\n${text}`)],
	['events.csv edited', (b) => b.edit('data/events.csv', (text) => text.replace(/(\r\n\d+,[^,]*,)\d/, '$19'))],
	['the consistency proof of another log', (b) => b.files.set('proofs/consistency.txt', other.files.get('proofs/consistency.txt'))],
	['a hash of the consistency proof changed', (b) => b.edit('proofs/consistency.txt', (text) => swapLines(text, 2, 3))],
	['a proof with another index', (b) => b.edit(`proofs/${FROM}.tlog-proof`, (text) => text.replace(`index ${FROM}`, `index ${FROM + 1}`))],
	['a salt changed', (b) => b.edit(EVENTS, (text) => text.replace('"salt":"C', '"salt":"D'))],
	['entries of another log put in', (b) => b.files.set(EVENTS, other.files.get(EVENTS))],
	['the range proof of another log', (b) => b.files.set('proofs/range.json', other.files.get('proofs/range.json'))],
	['README.txt edited', (b) => b.edit('README.txt', (text) => `${text}All is well.\n`)],
];

// Deeds on the manifest itself, and by somebody with a key of his own, who makes every sum and signature right.
const resigned = (deed, changes) => (b) => { deed(b); b.sign(thief, { ...changes, export_key: thief.vkey }); };
const signed = [
	['the manifest edited', (b) => b.edit('manifest.json', (text) => text.replace('a test', 'a pest'))],
	['the manifest\'s range cut short', (b) => b.writeManifest({ end: END - 1 })],
	['the manifest\'s signature flipped', (b) => b.editBytes('manifest.json.sig', flip(9))],
	['the manifest\'s signature by another key', (b) => b.signManifest(thief)],
	['the manifest\'s note of another bundle', (b) => b.files.set('manifest.json.note', whole.files.get('manifest.json.note'))],
	['a whole bundle of another log under this origin, with its keys', (b) => { b.files = new Map(other.files); }, ['--log-key', logKey.vkey]],
	['an export key of one\'s own', resigned(() => {}), ['--export-key', exporter.vkey]],
	['re-signed: a byte of an entry flipped', resigned((b) => b.edit(EVENTS, (text) => changeEntry(text, 180)))],
	['re-signed: an entry and its leaf hash', resigned((b) => b.edit(EVENTS, (text) => {
		const changed = changeEntry(text, 180);
		const bytes = Buffer.from(/^\{"seq":180,.*"entry_b64":"([^"]*)/m.exec(changed)[1], 'base64');
		return changed.replace(log.leaves[180].toString('hex'), sha256(Buffer.from([0]), bytes).toString('hex'));
	}))],
	['re-signed: an entry, its leaf hash and its tile', resigned((b) => {
		b.edit(EVENTS, (text) => changeEntry(text, 180));
		const bytes = Buffer.from(/^\{"seq":180,.*"entry_b64":"([^"]*)/m.exec(b.files.get(EVENTS))[1], 'base64');
		const leaf = sha256(Buffer.from([0]), bytes);
		b.edit(EVENTS, (text) => text.replace(log.leaves[180].toString('hex'), leaf.toString('hex')));
		b.editBytes('log/tile/0/000', (tile) => { leaf.copy(tile, 180 * 32); });
	})],
	['re-signed: an event left out', resigned((b) => b.edit(EVENTS, (text) => without(text, '{"seq":190,')), { disclosed: END - FROM - OMIT.length - 1 })],
	['re-signed: an omission\'s hash', resigned((b) => b.edit(OMISSIONS, (text) => text.replace(log.leaves[150].toString('hex'), log.leaves[152].toString('hex'))))],
	['re-signed: an omission doubled', resigned((b) => b.edit(OMISSIONS, (text) => `${text.split('\n')[0]}\n${text}`), { omitted: OMIT.length + 1 })],
	['re-signed: a gap at the range\'s end', resigned((b) => b.edit(EVENTS, (text) => without(text, `{"seq":${END - 1},`)), { disclosed: END - FROM - OMIT.length - 1, omitted: OMIT.length + 1 })],
	['re-signed: the checkpoint of another log', resigned((b) => b.files.set('log/checkpoint', other.files.get('log/checkpoint')), { root: other.manifest.root })],
	['re-signed: another root in the manifest', resigned(() => {}, { root: other.manifest.root })],
	['re-signed: the rightmost tile', resigned((b) => b.editBytes('log/tile/0/001.p/8', flip(3)))],
	['re-signed: a previous export that never was', resigned((b) => b.files.set('proofs/consistency.txt', other.files.get('proofs/consistency.txt')), { previous_root: other.manifest.previous_root })],
	['re-signed: a proof of another event', resigned((b) => b.files.set(`proofs/${FROM}.tlog-proof`, b.files.get(`proofs/${END - 1}.tlog-proof`)))],
	['re-signed: entries of another log', resigned((b) => b.files.set(EVENTS, other.files.get(EVENTS)))],
];

// What the signed tree does not cover, and so only the checkers that read the rows can tell from the truth once
// somebody with a trusted export key has lied.
const lies = [
	['a column of events.jsonl', (b) => b.edit(EVENTS, (text) => text.replace('"stream":1', '"stream":2'))],
	['a cell of events.csv', (b) => b.edit('data/events.csv', (text) => text.replace(/(\r\n\d+,[^,]*,)\d/, '$19'))],
	['a salt', (b) => b.edit(EVENTS, (text) => text.replace('"salt":"C', '"salt":"D'))],
	['a body', (b) => b.edit(EVENTS, (text) => text.replace('"body":"C', '"body":"D'))],
];

const members = [...honest.files].sort(([a], [b]) => (a < b ? -1 : 1));
const archives = [
	['a path that climbs out', tar(members, [tarMember('../escaped', Buffer.from('x'))])],
	['an absolute path', tar(members, [tarMember('/tmp/escaped', Buffer.from('x'))])],
	['a symbolic link', tar(members, [tarMember('data/link', Buffer.alloc(0), { type: '2', link: '/etc/passwd' })])],
	['a hard link', tar(members, [tarMember('data/link', Buffer.alloc(0), { type: '1', link: 'README.txt' })])],
	['a device', tar(members, [tarMember('data/null', Buffer.alloc(0), { type: '3' })])],
	['a file twice', tar(members, [tarMember('README.txt', honest.files.get('README.txt'))])],
	['a size that lies', tar(members, [tarMember('zz', Buffer.from('x'), { size: 1 << 30 })])],
	['cut off in the middle', tar(members).subarray(0, 20_000)],
	['cut off before its end', tar(members).subarray(0, -1024)],
	['something after its end', Buffer.concat([tar(members), Buffer.from('more')])],
];

describe('bundle', () => {
	before(async () => {
		const built = await run('go', ['build', '-o', go, path.join(source, 'tests/gocheck/main.go')], {
			env: { GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: path.join(folder, 'cache'), GOFLAGS: '' }, timeout: 120_000,
		});
		assert.equal(built.code, 0, built.text);
		knowsBundles = !/unknown|not a command|no command|is not known/i.test((await run(ifreplay, ['verify-bundle', '/nowhere'])).text);
	});
	after(() => fs.rmSync(folder, { recursive: true, force: true }));

	const trusted = ['--log-key', logKey.vkey, '--export-key', exporter.vkey];

	describe('holds for every checker', () => {
		for (const [what, make] of [
			['a filtered range, as a folder', () => place(honest)], ['a filtered range, as a tar', () => placeTar(honest.tar())],
			['a range in full, with its entry bundles', () => place(whole)],
		]) {
			it(what, async () => {
				for (const keys of [[], trusted]) {
					for (const [name, { code, text }] of await verdicts(make(), keys)) assert.equal(code, 0, `${name}\n${text}`);
				}
			});
		}
	});

	it('holds for every checker over the log of a live cluster, by its own checkpoint', async () => {
		const cluster = await start('bundle');
		const agents = await Promise.all(['alice', 'bob'].map((name) => join(cluster.url, name)));
		for (let n = 0; n < 20; n++) agents[0].send(offer('alice', 'bob', `sdp ${n}`));
		for (let n = 0; n < 20; n++) await agents[1].next('offer');
		await Promise.all(agents.map((agent) => agent.close()));
		await cluster.stop();
		const { out } = await run('sqlite3', [path.join(cluster.data, 'witness.db'), 'select hex(entry) from event order by seq']);
		const live = out.trim().split('\n').map((hex) => Buffer.from(hex, 'hex'));
		const note = fs.readFileSync(path.join(cluster.data, 'pub/checkpoint'), 'utf8');
		const vkey = fs.readFileSync(path.join(cluster.data, 'log.vkey'), 'utf8').trim();
		await cluster.close();
		const [origin, size] = note.split('\n');
		assert.equal(Number(size), live.length);
		const bundle = new Bundle(new Log(live, origin, { vkey, note: () => note }), { size: live.length, from: 5, end: live.length - 3, omit: [6], exporter });
		for (const [name, { code, text }] of await verdicts(place(bundle), ['--log-key', vkey])) assert.equal(code, 0, `${name}\n${text}`);
	});

	async function refused(at, keys = []) {
		for (const [name, { code, text }] of await verdicts(at, keys)) {
			assert.equal(code, 1, `${name}\n${text}`);
			assert.match(text, /DOES NOT HOLD|does not hold|BREAK/, name);
			assert.doesNotMatch(text, /Traceback|AddressSanitizer|panic:|not found\n.*sh:/, `${name}\n${text}`);
		}
	}

	function table(name, rows, turn) {
		describe(name, { concurrency: 2 }, () => {
			for (const [what, deed, keys] of rows) {
				it(what, () => {
					const made = honest.copy();
					deed(made);
					turn?.(made);
					return refused(place(made), keys);
				});
			}
		});
	}
	table('refuses, by everyone, with SHA256SUMS made right again', bare, (b) => b.sum());
	table('refuses, by everyone', signed);

	it('refuses, by everyone, an entry bundle with a byte flipped and signed again', () => {
		const made = whole.copy();
		made.editBytes('log/tile/entries/000', flip(30));
		made.sign(exporter);
		return refused(place(made));
	});

	it('refuses, by everyone, a link in the folder', () => refused(place(honest, [['data/link', '/etc/passwd']])));

	describe('refuses what a trusted exporter writes beside the entries, by those who read the rows', () => {
		for (const [what, deed] of lies) {
			it(what, async () => {
				const made = honest.copy();
				deed(made);
				made.sign();
				const at = place(made);
				const { code, text } = await checkers['verify.py'](at, []);
				assert.equal(code, 1, text);
			});
		}
	});

	describe('refuses a tar with (threat_G8)', { concurrency: 2 }, () => {
		for (const [what, bytes] of archives) {
			it(what, async () => {
				await refused(placeTar(bytes));
				assert.ok(!fs.existsSync(path.join(folder, '../escaped')) && !fs.existsSync('/tmp/escaped'));
			});
		}
	});
});
