// What a reviewer relies on when a bundle comes from somebody who had it in hand: each kind of tampering is refused
// by each of the checkers that share no code: sh with openssl, python3, Go's own transparency log, and ours.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Bundle, Log, makeEntry, sha256, signer, tar, tarMember, tilePath } from './lib/bundle.mjs';
import { join, offer } from './lib/agent.mjs';
import { checkersIn } from './lib/checkers.mjs';
import { run, start, temporary, until } from './lib/cluster.mjs';
import { TurnClient, echoPeer } from './lib/turn.mjs';

const thief = signer('ifswarm.local/node1/export', 66);
// Made in before(): exports of a live cluster, and the scope of one of them by hand, over a log that its key never signed.
let cluster;
let honest; // one agent's events, the range begins and ends within tiles, after a previous export
let whole; // a short range in full, with its entry bundles
let other;
let exporter; // the export key itself: what somebody who has it could do
let logKey;
let relay; // what carol was given: { address, port, peer }
let shown; // seqs: what `honest` discloses, and what it withholds
let withheld;

const OFFERS = 3; // each disclosed event is a proof more, in every run of every checker
const ECHOES = 5;
const PACKET = 200;
const folder = temporary('bundle');
const { checkers, place, placeTar, refused, verdicts } = await checkersIn(folder);

const flip = (at) => (bytes) => { bytes[at] ^= 1; };
const swapLines = (text, a, b) => {
	const lines = text.split('\n');
	[lines[a], lines[b]] = [lines[b], lines[a]];
	return lines.join('\n');
};
const without = (text, start) => text.split('\n').filter((line) => !line.startsWith(start)).join('\n');
const EVENTS = 'data/events.jsonl';
const OMISSIONS = 'data/omissions.jsonl';
const omissionOf = (seq, leaf) => `${JSON.stringify({ seq, leaf_hash: leaf, reason: 'filter' })}\n`;
const row = (text, seq) => JSON.parse(text.split('\n').find((line) => line.startsWith(`{"seq":${seq},`)));
const leafOf = (b, seq) => row(b.files.get(EVENTS).toString(), seq).leaf_hash;
const changeEntry = (text, seq) => text.replace(new RegExp(`^(\\{"seq":${seq},.*"entry_b64":")([^"]*)`, 'm'), (_, before, entry) => {
	const bytes = Buffer.from(entry, 'base64');
	bytes[20] ^= 1;
	return before + bytes.toString('base64');
});
const otherLetter = (letter) => (letter === 'D' ? 'E' : 'D');
const change = (key) => (text) => text.replace(new RegExp(`"${key}":"(.)`), (_, letter) => `"${key}":"${otherLetter(letter)}`);
const otherHash = (text) => text.replace(/"leaf_hash":"(..)/, (_, two) => `"leaf_hash":"${two === '00' ? '01' : '00'}`);
const tileOf = (b, seq) => tilePath(0, Math.floor(seq / 256), Math.min(256, b.manifest.size - Math.floor(seq / 256) * 256));
const proofOf = (seq) => `proofs/${seq}.tlog-proof`;
const rightmost = (b) => [...b.files.keys()].filter((name) => name.startsWith('log/tile/0/')).sort().at(-1);
const middle = () => shown[Math.floor(shown.length / 2)];
const drop = (b, seq) => b.edit(EVENTS, (text) => without(text, `{"seq":${seq},`));
const csvDigit = (text) => text.replace(/(\r\n\d+,[^,]*,)(\d)/, (_, before, digit) => before + (digit === '9' ? '8' : '9'));

// [what was done, the deed]. Whoever has no key can at most make the sums right again.
const bare = [
	['a byte of an entry flipped', (b) => b.edit(EVENTS, (text) => changeEntry(text, middle()))],
	['a row edited', (b) => b.edit(EVENTS, (text) => text.replace('"stream":1', '"stream":2'))],
	['an event removed, named as omitted', (b) => {
		const leaf = leafOf(b, middle());
		drop(b, middle());
		b.edit(OMISSIONS, (text) => omissionOf(middle(), leaf) + text);
	}],
	['an event removed', (b) => drop(b, middle())],
	['two events swapped', (b) => b.edit(EVENTS, (text) => swapLines(text, 3, 4))],
	['an event twice', (b) => b.edit(EVENTS, (text) => `${text.split('\n')[0]}\n${text}`)],
	['the checkpoint of another log', (b) => b.files.set('log/checkpoint', other.files.get('log/checkpoint'))],
	['the checkpoint\'s signature flipped', (b) => b.edit('log/checkpoint', (text) => text.replace(/(\u2014 \S+ )(.{20})(.)/, (_, a, c, d) => a + c + (d === 'A' ? 'B' : 'A')))],
	['the checkpoint\'s size changed', (b) => b.edit('log/checkpoint', (text) => text.replace(`\n${b.manifest.size}\n`, `\n${b.manifest.size - 1}\n`))],
	['the checkpoint\'s root changed', (b) => b.edit('log/checkpoint', (text) => text.replace(/\n[^\n]{44}\n/, `\n${Buffer.alloc(32).toString('base64')}\n`))],
	['a hash of a tile changed', (b) => b.editBytes(tileOf(b, middle()), flip(32 * (middle() % 256)))],
	['a tile cut off', (b) => b.editBytes(tileOf(b, middle()), (bytes) => bytes.subarray(0, bytes.length - 32))],
	['a tile of level 1 changed', (b) => b.editBytes(tilePath(1, 0, Math.floor(b.manifest.size / 256)), flip(1))],
	['a file added', (b) => b.files.set('data/more.txt', Buffer.from('x'))],
	['a file removed', (b) => b.files.delete('data/events.csv')],
	['a file renamed', (b) => { b.files.set('data/event.csv', b.files.get('data/events.csv')); b.files.delete('data/events.csv'); }],
	['an omission\'s hash changed', (b) => b.edit(OMISSIONS, otherHash)],
	['an omission doubled', (b) => b.edit(OMISSIONS, (text) => `${text.split('\n')[0]}\n${text}`)],
	['events.csv edited', (b) => b.edit('data/events.csv', csvDigit)],
	['the consistency proof of another log', (b) => b.files.set('proofs/consistency.txt', other.files.get('proofs/consistency.txt'))],
	['a hash of the consistency proof changed', (b) => b.edit('proofs/consistency.txt', (text) => swapLines(text, 2, 3))],
	['a proof with another index', (b) => b.edit(proofOf(shown[0]), (text) => text.replace(`index ${shown[0]}`, `index ${shown[0] + 1}`))],
	['a salt changed', (b) => b.edit(EVENTS, change('salt'))],
	['entries of another log put in', (b) => b.files.set(EVENTS, other.files.get(EVENTS))],
	['the range proof of another log', (b) => b.files.set('proofs/range.json', other.files.get('proofs/range.json'))],
	['the state edited', (b) => b.edit('state/after.jsonl', (text) => text.replace('carol', 'mallory').replace('"now"', '"then"'))],
	['a verifier that always says yes', (b) => b.files.set('verify/verify.sh', Buffer.from('#!/bin/sh\necho HOLDS\n'))],
	['the report edited', (b) => b.edit('report.html', (text) => text.replace('</body>', '<p>All is well.</p></body>'))],
	['README.txt edited', (b) => b.edit('README.txt', (text) => `${text}All is well.\n`)],
];

// Deeds on the manifest itself, and by somebody with a key of his own, who makes every sum and signature right.
const resigned = (deed, changes) => (b) => {
	deed(b);
	b.sign(thief, { ...changes?.(b.manifest), export_key: thief.vkey });
};
const signed = [
	['the manifest edited', (b) => b.edit('manifest.json', (text) => text.replace('a test', 'a pest'))],
	['the manifest\'s range cut short', (b) => b.writeManifest({ end: b.manifest.end - 1 })],
	['the manifest\'s signature flipped', (b) => b.editBytes('manifest.json.sig', flip(9))],
	['the manifest\'s signature by another key', (b) => b.signManifest(thief)],
	['the manifest\'s note of another bundle', (b) => b.files.set('manifest.json.note', whole.files.get('manifest.json.note'))],
	['a whole bundle of another log under this origin, with its keys', (b) => { b.files = new Map(other.files); }, () => ['--log-key', logKey]],
	['an export key of one\'s own', resigned(() => {}), () => ['--export-key', exporter.vkey]],
	['re-signed: a byte of an entry flipped', resigned((b) => b.edit(EVENTS, (text) => changeEntry(text, middle())))],
	['re-signed: an entry and its leaf hash', resigned((b) => changeLeaf(b))],
	['re-signed: an entry, its leaf hash and its tile', resigned((b) => {
		const leaf = changeLeaf(b);
		b.editBytes(tileOf(b, middle()), (tile) => { leaf.copy(tile, (middle() % 256) * 32); });
	})],
	['re-signed: an event left out', resigned((b) => drop(b, middle()), (m) => ({ disclosed: m.disclosed - 1 }))],
	['re-signed: an omission\'s hash', resigned((b) => b.edit(OMISSIONS, otherHash))],
	['re-signed: an omission doubled', resigned((b) => b.edit(OMISSIONS, (text) => `${text.split('\n')[0]}\n${text}`), (m) => ({ omitted: m.omitted + 1 }))],
	['re-signed: a gap at the range\'s end', resigned((b) => drop(b, shown.at(-1)), (m) => ({ disclosed: m.disclosed - 1, omitted: m.omitted + 1 }))],
	['re-signed: the checkpoint of another log', resigned((b) => b.files.set('log/checkpoint', other.files.get('log/checkpoint')), () => ({ root: other.manifest.root }))],
	['re-signed: another root in the manifest', resigned(() => {}, () => ({ root: other.manifest.root }))],
	['re-signed: the rightmost tile', resigned((b) => b.editBytes(rightmost(b), flip(3)))],
	['re-signed: a previous export that never was', resigned((b) => b.files.set('proofs/consistency.txt', other.files.get('proofs/consistency.txt')), () => ({ previous_root: other.manifest.previous_root }))],
	['re-signed: a proof of another event', resigned((b) => b.files.set(proofOf(shown[0]), b.files.get(proofOf(shown.at(-1)))))],
	['re-signed: entries of another log', resigned((b) => b.files.set(EVENTS, other.files.get(EVENTS)))],
];
function changeLeaf(b) {
	const before = leafOf(b, middle());
	b.edit(EVENTS, (text) => changeEntry(text, middle()));
	const entry = Buffer.from(row(b.files.get(EVENTS).toString(), middle()).entry_b64, 'base64');
	const leaf = sha256(Buffer.from([0]), entry);
	b.edit(EVENTS, (text) => text.replace(before, leaf.toString('hex')));
	return leaf;
}

// What the signed tree does not cover, and so only the checkers that read the rows can tell from the truth once
// somebody with a trusted export key has lied.
const lies = [
	['a column of events.jsonl', (b) => b.edit(EVENTS, (text) => text.replace('"stream":1', '"stream":2'))],
	['a cell of events.csv', (b) => b.edit('data/events.csv', csvDigit)],
	['a salt', (b) => b.edit(EVENTS, change('salt'))],
	['a body', (b) => b.edit(EVENTS, change('body'))],
];

const archives = [
	['a path that climbs out', (members) => tar(members, [tarMember('../escaped', Buffer.from('x'))])],
	['an absolute path', (members) => tar(members, [tarMember('/tmp/escaped', Buffer.from('x'))])],
	['a symbolic link', (members) => tar(members, [tarMember('data/link', Buffer.alloc(0), { type: '2', link: '/etc/passwd' })])],
	['a hard link', (members) => tar(members, [tarMember('data/link', Buffer.alloc(0), { type: '1', link: 'README.txt' })])],
	['a device', (members) => tar(members, [tarMember('data/null', Buffer.alloc(0), { type: '3' })])],
	['a file twice', (members) => tar(members, [tarMember('README.txt', honest.files.get('README.txt'))])],
	['a size that lies', (members) => tar(members, [tarMember('zz', Buffer.from('x'), { size: 1 << 30 })])],
	['cut off in the middle', (members) => tar(members).subarray(0, 20_000)],
	['cut off before its end', (members) => tar(members).subarray(0, -1024)],
	['something after its end', (members) => Buffer.concat([tar(members), Buffer.from('more')])],
];

async function exported(name, ...args) {
	const file = path.join(folder, name);
	const { code, text } = await cluster.ifreplay('export', file, ...args);
	assert.equal(code, 0, text);
	assert.ok(!fs.existsSync(`${file}.partial`) && !fs.existsSync(`${file}.parts`));
	return file;
}

async function unpacked(file) {
	const to = path.join(folder, `${path.basename(file)}.d`);
	fs.mkdirSync(to);
	assert.equal((await run('tar', ['xf', file, '-C', to])).code, 0);
	return to;
}

// Somebody is given a relay, sends packets over it until ECHOES came back, and gives it back.
async function relayFor(name) {
	const { username, credential } = await cluster.credential(name);
	const client = new TurnClient({ port: cluster.ports.turn, username, password: credential });
	const peer = await echoPeer();
	let echoes = 0;
	client.on('data', () => { echoes++; });
	await client.ready;
	const relayed = await client.allocate();
	await client.bindChannel(0x4000, peer);
	await until('packets come back over the relay', async () => {
		await client.sendChannel(0x4000, Buffer.alloc(PACKET, 7));
		return echoes >= ECHOES;
	});
	await client.refresh(0);
	await Promise.all([client.close(), peer.close()]);
	return { ...relayed, peer: peer.port };
}

// Alice and bernard fill a tile; carol comes, makes some offers among theirs, has a relay, and goes: her events are what is
// asked for.
async function live() {
	cluster = await start('bundle', { 'allowed-peer-ip': '127.0.0.1' });
	const [alice, bernard] = await Promise.all(['alice', 'bernard'].map((name) => join(cluster.url, name)));
	for (let n = 0; n < 260; n++) alice.send(offer('alice', 'bernard', `sdp ${n}`));
	for (let n = 0; n < 260; n++) await bernard.next('offer');
	const before = await exported('before.tar', '--from', '0', '--to', '9', '--profile', 'none');
	const carol = await join(cluster.url, 'carol');
	for (let n = 0; n < OFFERS; n++) {
		carol.send(offer('carol', 'bernard', `sdp ${n}`));
		alice.send(offer('alice', 'bernard', `sdp ${n}`));
	}
	for (let n = 0; n < 2 * OFFERS; n++) await bernard.next('offer');
	relay = await relayFor('carol');
	await carol.close();
	const seqs = await until('carol has left', async () => {
		const { out } = await cluster.ifreplay('log', '--agent', 'carol', '--json');
		const rows = out.split('\n').filter(Boolean).map((line) => JSON.parse(line));
		return rows.at(-1)?.event === 'agent_disconnected' && rows.map(({ seq }) => seq);
	});
	await until('a checkpoint covers it', () => {
		const [, size] = fs.readFileSync(path.join(cluster.data, 'pub/checkpoint'), 'utf8').split('\n');
		return Number(size) > seqs.at(-1);
	});
	await Promise.all([alice.close(), bernard.close()]);
	return { before, to: seqs.at(-1) };
}

let honestTar;
let honestArguments;

async function makeBundles() {
	const { before: beforeTar, to } = await live();
	const beforeFolder = await unpacked(beforeTar);
	honestArguments = ['--from', '200', '--to', String(to), '--agent', 'carol', '--profile', 'none', '--purpose', 'a test',
		'--requester', 'An Auditor', '--previous', path.join(beforeFolder, 'log/checkpoint')];
	honestTar = await exported('honest.tar', ...honestArguments);
	logKey = fs.readFileSync(path.join(cluster.data, 'log.vkey'), 'utf8').trim();
	const vkey = fs.readFileSync(path.join(cluster.data, 'export.vkey'), 'utf8').trim();
	const [origin] = logKey.split('+');
	const seed = fs.readFileSync(path.join(cluster.data, 'private/export.key'), 'utf8').trim();
	exporter = signer(`${origin}/export`, Buffer.from(seed, 'hex'));
	assert.equal(exporter.vkey, vkey);
	whole = Bundle.read(beforeFolder, exporter);
	honest = Bundle.read(await unpacked(honestTar), exporter);
	const seqs = (name) => honest.files.get(name).toString().split('\n').filter(Boolean).map((line) => JSON.parse(line).seq);
	shown = seqs(EVENTS);
	withheld = seqs(OMISSIONS);
	const { size, from, end, previous_size: previous } = honest.manifest;
	const foreign = new Log(Array.from({ length: size }, (_, seq) => makeEntry(seq + size)), origin, signer(origin, 67));
	other = Bundle.make(foreign, { size, from, end, omit: withheld, previous, exporter });
}

describe('bundle', () => {
	before(async () => {
		await makeBundles();
	});
	after(async () => {
		await cluster?.close();
		fs.rmSync(folder, { recursive: true, force: true });
	});

	it('is what was asked for', () => {
		assert.ok(shown.length >= 10 && withheld.length > 12, `${shown.length} shown, ${withheld.length} withheld`);
		const rows = honest.files.get(EVENTS).toString().split('\n').filter(Boolean).map((line) => JSON.parse(line));
		assert.equal(rows.filter(({ event }) => event === 'sdp_offer_relayed').length, OFFERS);
		assert.equal(rows.find(({ event }) => event === 'agent_registered').fields.agent_name, 'carol');
		assert.equal(honest.manifest.purpose, 'a test');
		assert.equal(honest.manifest.requester, 'An Auditor');
	});

	it('has the relay: what it was, what went over it, how it ended', () => {
		const rows = honest.files.get(EVENTS).toString().split('\n').filter(Boolean).map((line) => JSON.parse(line));
		const of = (name) => rows.filter(({ event }) => event === name).map(({ fields }) => fields);
		const [created, ...more] = of('turn_allocation_created');
		assert.equal(more.length, 0);
		assert.equal(created.user_name, 'carol');
		assert.equal(created.relayed, `${relay.address}:${relay.port}`);
		const concerns = ({ allocation }) => allocation === created.allocation;
		assert.equal(of('turn_channel_bound').find(concerns).peer, `127.0.0.1:${relay.peer}`);
		const usage = of('turn_relay_usage').filter(concerns);
		const sum = (key) => usage.reduce((all, each) => all + each[key], 0);
		assert.ok(sum('packets_up') >= ECHOES && sum('packets_down') >= ECHOES, JSON.stringify(usage));
		assert.equal(sum('bytes_up'), PACKET * sum('packets_up'));
		const [ended] = of('turn_allocation_ended').filter(concerns);
		for (const key of ['packets_up', 'bytes_up', 'packets_down', 'bytes_down']) assert.equal(ended[key], sum(key), key);
		assert.equal(ended.never_used, 0);
	});

	it('tells a SIEM of the relay as OCSF Tunnel Activity', () => {
		const lines = honest.files.get('data/ocsf.jsonl').toString().split('\n').filter(Boolean).map((line) => JSON.parse(line));
		const tunnels = lines.filter(({ class_uid: uid }) => uid === 4014);
		const [open] = tunnels.filter(({ activity_id: id }) => id === 1);
		assert.equal(open.type_uid, 401401);
		assert.deepEqual(open.dst_endpoint, { ip: relay.address, port: relay.port });
		assert.equal(open.user.name, 'carol');
		const of = tunnels.filter(({ session }) => session.uid === open.session.uid);
		assert.equal(of.length, tunnels.length, 'one allocation, one session');
		const [close] = of.filter(({ activity_id: id }) => id === 2);
		assert.ok(close.traffic.bytes_out >= ECHOES * PACKET && close.traffic.bytes_in >= ECHOES * PACKET, JSON.stringify(close));
		assert.equal(new Set(lines.map(({ metadata }) => metadata.sequence)).size, shown.length);
	});

	describe('holds for every checker', () => {
		const given = () => ['--log-key', logKey, '--export-key', exporter.vkey];
		for (const [what, make, keys] of [
			['one agent of a range, as a folder', () => place(honest), given], ['one agent of a range, as a tar', () => ({ tar: honestTar }), given],
			['a range in full, with its entry bundles', () => place(whole), () => []],
		]) {
			it(what, async () => {
				for (const [name, { code, text }] of await verdicts(make(), keys())) assert.equal(code, 0, `${name}\n${text}`);
			});
		}

		it('with what it carries itself', async () => {
			const at = place(honest).folder;
			for (const [program, script] of [['sh', 'verify/verify.sh'], ['python3', 'verify/verify.py']]) {
				const { code, text } = await run(program, [script], { cwd: at });
				assert.equal(code, 0, text);
				assert.match(text, /^HOLDS$/m);
			}
		});

		for (const profile of ['pseudonymous', 'envelope']) {
			it(`a range in full, profile ${profile}`, async () => {
				const file = await exported(`${profile}.tar`, '--from', '250', '--to', '259', '--profile', profile);
				const at = await unpacked(file);
				for (const [name, { code, text }] of await verdicts({ folder: at }, ['--log-key', logKey])) assert.equal(code, 0, `${name}\n${text}`);
				// Long enough that no base64 or hash spells one by chance, as three letters do.
				for (const name of ['alice', 'bernard', 'carol', '127.0.0.1']) assert.ok(!fs.readFileSync(file).includes(name), name);
			});
		}

		it('a subject\'s access, which names nobody else', async () => {
			const file = await exported('subject.tar', '--subject', 'carol', '--from', '200');
			for (const [name, { code, text }] of await verdicts({ folder: await unpacked(file) }, ['--log-key', logKey])) assert.equal(code, 0, `${name}\n${text}`);
			const bytes = fs.readFileSync(file);
			assert.ok(bytes.includes('carol'));
			for (const name of ['alice', 'bernard']) assert.ok(!bytes.includes(name), name);
		});
	});

	it('is made again byte for byte, though the log has grown', async () => {
		const again = await exported('again.tar', ...honestArguments);
		assert.ok(fs.readFileSync(again).equals(fs.readFileSync(honestTar)));
	});

	it('is in the log, with the hash of its manifest', async () => {
		const made = await cluster.log('export_made');
		const digest = sha256(honest.files.get('manifest.json')).toString('hex');
		const event = made.find(({ fields }) => fields.manifest === digest);
		assert.ok(event, JSON.stringify(made));
		assert.equal(event.fields.asked, 'carol');
		assert.equal(event.fields.events, shown.length);
	});

	function table(name, rows, turn) {
		describe(name, { concurrency: 2 }, () => {
			for (const [what, deed, keys] of rows) {
				it(what, () => {
					const made = honest.copy();
					deed(made);
					turn?.(made);
					return refused(place(made), keys?.());
				});
			}
		});
	}
	table('refuses, by everyone, with SHA256SUMS made right again', bare, (b) => b.sum());
	table('refuses, by everyone', signed);

	it('refuses, by everyone, an entry bundle with a byte flipped and signed again', () => {
		const made = whole.copy();
		made.editBytes([...made.files.keys()].find((name) => name.startsWith('log/tile/entries/')), flip(30));
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
				for (const name of ['verify.py', 'verify-bundle']) {
					const { code, text } = await checkers[name](at, []);
					assert.equal(code, 1, `${name}\n${text}`);
				}
			});
		}
	});

	describe('refuses a tar with (threat_G8)', { concurrency: 2 }, () => {
		for (const [what, make] of archives) {
			it(what, async () => {
				await refused(placeTar(make([...honest.files].sort(([a], [b]) => (a < b ? -1 : 1)))));
				assert.ok(!fs.existsSync(path.join(folder, '../escaped')) && !fs.existsSync('/tmp/escaped'));
			});
		}
	});
});
