// A bundle that says who else has seen the log: cosigned and timestamped checkpoints, and a timestamp of the manifest.
// What somebody does to them is refused by each checker that can judge it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { authority, cosigner, serve, text } from './lib/anchors.mjs';
import { Bundle, signer } from './lib/bundle.mjs';
import { checkersIn } from './lib/checkers.mjs';
import { freePort, prepare, run, temporary, until } from './lib/cluster.mjs';

const folder = temporary('witnessed');
const { place, refused, verdicts } = await checkersIn(folder);
const policy = path.join(folder, 'policy.txt');
const COSIGNED = 'anchors/cosigned.checkpoint';
const STAMPED = 'anchors/stamped.checkpoint';
const STAMP = 'manifest.json.tsr';
const size = (note) => Number(note.toString().split('\n')[1]);

let cluster;
let tsa;
let stranger; // another authority
let servers = [];
let answers = true; // everybody else does
let exporter;
let last; // seq of the range's end; the checkpoint behind it nobody else has seen, only larger ones
let honest;
let later; // an export that ends elsewhere
let serial = 0;

const given = (name) => ['--policy', policy, ...(['verify.sh', 'verify-bundle'].includes(name) ? ['--tsa-ca', tsa.at('tsa.pem')] : [])];

async function grow() {
	const answer = await fetch(`http://127.0.0.1:${cluster.options['claims-port']}/events`, {
		method: 'POST', headers: { 'content-type': 'application/json' },
		body: JSON.stringify({ event: 'grow', agent_id: 'alice', timestamp: '2026-11-23T09:00:00Z' }),
	});
	assert.equal(answer.status, 201);
	return (await answer.json()).seq;
}

async function exported(to) {
	const file = path.join(folder, `${++serial}.tar`);
	const { code, text: said } = await cluster.ifreplay('export', file, '--from', String(last - 10), ...(to ? ['--to', String(to)] : []), '--profile', 'none');
	assert.equal(code, 0, said);
	const at = `${file}.d`;
	fs.mkdirSync(at);
	assert.equal((await run('tar', ['xf', file, '-C', at])).code, 0);
	return { file, said, bundle: Bundle.read(at, exporter) };
}

// Both witnesses and the authority have seen that entry.
const seen = (seq) => until(`everybody to have seen entry ${seq}`, async () => {
	const note = fs.readFileSync(path.join(cluster.data, 'pub/cosigned'), 'utf8');
	const stamps = fs.readdirSync(path.join(cluster.data, 'pub/timestamp')).map((name) => parseInt(name, 10));
	return size(note) > seq && note.split('\n\n').pop().trim().split('\n').length === 3 && Math.max(...stamps) > seq;
}, 60_000);

describe('a bundle with what others said', () => {
	before(async () => {
		tsa = await authority();
		stranger = await authority();
		servers.push(await serve(async (query, response) => {
			response.statusCode = answers ? 200 : 503;
			response.end(answers ? await tsa.reply(query) : '');
		}));
		cluster = await prepare('witnessed', { 'claims-port': await freePort() });
		await cluster.up();
		await cluster.stop();
		last = size(fs.readFileSync(path.join(cluster.data, 'pub/checkpoint'))) - 1;
		Object.assign(cluster.options, {
			'anchor-interval': 1, 'tsa-interval': 1, 'tsa-url': servers[0].url, 'tsa-ca-file': tsa.at('tsa.pem'), 'policy-file': policy,
		});
		const witnesses = await Promise.all(['one', 'two'].map(async (name) => {
			const me = cosigner(`${name}.example`);
			const server = await serve((body, response) => {
				response.statusCode = answers ? 200 : 503;
				response.end(answers ? me.line(text(body)) : '');
			});
			servers.push(server);
			return `witness ${name} ${me.vkey} ${server.url}\n`;
		}));
		fs.writeFileSync(policy, `# who has seen it\n${witnesses.join('')}witness three ${cosigner('three.example').vkey}\ngroup most 2 one two three\nquorum most\n`);
		await cluster.up();
		await seen(await grow());
		assert.equal((await cluster.ifreplay('export', path.join(folder, 'key.tar'), '--from', '0', '--to', '1', '--profile', 'none')).code, 0);
		const seed = fs.readFileSync(path.join(cluster.data, 'private/export.key'), 'utf8').trim();
		exporter = signer('ifswarm.local/node1/export', Buffer.from(seed, 'hex'));
		honest = await exported(last);
		const next = await grow();
		await seen(next);
		later = await exported(next);
	});
	after(async () => {
		for (const server of servers) server.close();
		await cluster?.close();
		for (const each of [tsa, stranger]) if (each) fs.rmSync(each.folder, { recursive: true, force: true });
		fs.rmSync(folder, { recursive: true, force: true });
	});

	it('covers the range, and every checker says by whom', async () => {
		const { bundle } = honest;
		for (const name of [COSIGNED, STAMPED]) assert.ok(size(bundle.files.get(name)) > bundle.manifest.size, name);
		for (const [name, { code, text: said }] of await verdicts(place(bundle), given)) {
			assert.equal(code, 0, `${name}\n${said}`);
			assert.match(said, name === 'gocheck' ? /cosigned by two\.example/ : name === 'verify-bundle' ? /that 2 of 3 witnesses have seen/
				: /2 of 3 witnesses, enough, have cosigned/, name);
			if (name === 'verify.sh') assert.match(said, /manifest\.json was timestamped at .*, by an authority that you named/);
			if (name === 'verify-bundle') assert.match(said, /manifest +timestamped at 20[^;]*\n/);
		}
	});

	it('tells in both reports who has seen it, and when', () => {
		const at = size(honest.bundle.files.get(COSIGNED));
		const page = honest.bundle.files.get('report.html').toString();
		const sheet = honest.bundle.files.get('report.txt').toString();
		for (const name of ['one.example', 'two.example']) {
			assert.match(page, new RegExp(`${name.replace('.', '\\.')}, 20\\d\\d-`));
			assert.match(sheet, new RegExp(`witnessed by +${name.replace('.', '\\.')}, 20\\d\\d-`));
		}
		assert.match(page, new RegExp(`Witnessed</dt>\\s*<dd>up to size ${at}<`));
		assert.match(sheet, new RegExp(`witnessed +up to size ${at}\\n`));
		assert.match(sheet, new RegExp(`timestamped +size ${size(honest.bundle.files.get(STAMPED))}, by 127\\.0\\.0\\.1:`));
	});

	it('holds without a policy and an authority, and every checker says what it did not judge', async () => {
		for (const [name, { code, text: said }] of await verdicts(place(honest.bundle))) {
			assert.equal(code, 0, `${name}\n${said}`);
			if (name !== 'gocheck') assert.match(said, /not judged/, name);
		}
	});

	it('says of an export that is ahead of all witnesses how far they have seen it', async () => {
		answers = false;
		const seq = await grow();
		const note = await until('a checkpoint that nobody has seen', () => {
			const found = fs.readFileSync(path.join(cluster.data, 'pub/checkpoint'), 'utf8');
			return size(found) > seq && found;
		});
		const { bundle } = await exported();
		answers = true;
		assert.ok(bundle.manifest.size >= size(note));
		assert.ok(size(bundle.files.get(COSIGNED)) < bundle.manifest.size);
		for (const [name, { code, text: said }] of await verdicts(place(bundle), given)) {
			assert.equal(code, 0, `${name}\n${said}`);
			assert.match(said, new RegExp(name === 'gocheck' ? 'cosigned by two' : `(seen is|size) ${size(bundle.files.get(COSIGNED))}`), name);
		}
	});

	it('is made again byte for byte, its timestamp too', async () => {
		const again = await exported(last);
		assert.ok(fs.readFileSync(again.file).equals(fs.readFileSync(honest.file)));
		fs.rmSync(path.join(cluster.data, 'stamps'), { recursive: true });
		const fresh = await exported(last);
		const differing = [...fresh.bundle.files].filter(([name, bytes]) => !bytes.equals(honest.bundle.files.get(name))).map(([name]) => name);
		assert.deepEqual(differing, [STAMP], 'kept nowhere, it is another one: that alone');
	});

	it('is made without a timestamp when the authority does not answer, and says so', async () => {
		fs.rmSync(path.join(cluster.data, 'stamps'), { recursive: true });
		answers = false;
		const without = await exported(last);
		answers = true;
		assert.match(without.said, /not timestamped: http:\/\/127\.0\.0\.1:\d+: it answers with HTTP status 503/);
		assert.ok(!without.bundle.files.has(STAMP));
		assert.ok(without.bundle.files.get('manifest.json').equals(honest.bundle.files.get('manifest.json')));
		for (const [name, { code, text: said }] of await verdicts(place(without.bundle), given)) assert.equal(code, 0, `${name}\n${said}`);
	});

	const change = (at) => (note) => note.replace(at, (line) => line.slice(0, -20) + (line.at(-20) === 'A' ? 'B' : 'A') + line.slice(-19));
	const line = (bundle, name) => bundle.files.get(COSIGNED).toString().split('\n').find((each) => each.includes(name));
	// By somebody who has the export key, so that every sum and signature is right again; the manifest's timestamp goes.
	const rows = [
		['a cosignature altered', (b) => b.edit(COSIGNED, change(/— one\.example .*/))],
		['a cosignature of another checkpoint', (b) => b.edit(COSIGNED, (note) => note.replace(line(b, 'one.example'), line(later.bundle, 'one.example')))],
		['the cosigned checkpoint of another size', (b) => b.files.set(COSIGNED, later.bundle.files.get(COSIGNED))],
		['a cosigned checkpoint whose size was changed', (b) => b.edit(COSIGNED, (note) => note.replace(`\n${size(note)}\n`, `\n${size(note) + 1}\n`))],
		['a cosigned checkpoint that the log did not sign', (b) => b.edit(COSIGNED, change(/— ifswarm\.local\/node1 .*/))],
		['no proof that ties it to the log', (b) => b.files.delete('anchors/cosigned.proof')],
		['a hash of that proof changed', (b) => b.edit('anchors/cosigned.proof', (proof) => proof.replace(/^(old \d+\n)(.)/m, (_, head, first) => head + (first === 'A' ? 'B' : 'A')))],
		['that proof from another size', (b) => b.edit('anchors/cosigned.proof', (proof) => proof.replace(/^old (\d+)/m, (_, old) => `old ${old - 1}`))],
		['a proof without what it is of', (b) => b.files.delete(COSIGNED)],
		['a token without what it is over', (b) => b.files.delete(STAMPED)],
		['a token of another checkpoint', (b) => b.files.set('anchors/stamped.tsr', later.bundle.files.get('anchors/stamped.tsr'))],
		['a timestamped checkpoint of another size', (b) => b.files.set(STAMPED, later.bundle.files.get(STAMPED))],
		['a token that is none', (b) => b.files.set('anchors/stamped.tsr', Buffer.from('x'))],
	];
	for (const [what, deed] of rows) {
		it(`is refused by everyone: ${what}`, async () => {
			const made = honest.bundle.copy();
			deed(made);
			made.files.delete(STAMP);
			made.sign();
			await refused(place(made), given);
		});
	}

	it('is refused by everyone: a timestamp of another manifest', async () => {
		const made = honest.bundle.copy();
		made.files.set(STAMP, later.bundle.files.get(STAMP));
		await refused(place(made), given);
	});

	it('is refused by everyone: a manifest that was signed again under the old timestamp', async () => {
		const made = honest.bundle.copy();
		made.sign(exporter, { purpose: 'another' });
		await refused(place(made), given);
	});

	it('is refused by everyone: what others said left out, by somebody without a key', async () => {
		const made = honest.bundle.copy();
		made.files.delete(COSIGNED);
		made.files.delete('anchors/cosigned.proof');
		await refused(place(made), given);
	});

	it('is refused by those who know authorities: a token by another one', async () => {
		const found = await verdicts(place(honest.bundle), (name) => (given(name).includes('--tsa-ca') ? ['--tsa-ca', stranger.at('tsa.pem')] : ['--help']));
		for (const [name, { code, text: said }] of found.filter(([each]) => given(each).includes('--tsa-ca'))) {
			assert.equal(code, 1, `${name}\n${said}`);
			assert.match(said, /timestamp (is not by|does not hold)/, name);
		}
	});

	it('holds, and says that it is not enough, where one witness alone has cosigned', async () => {
		const made = honest.bundle.copy();
		made.edit(COSIGNED, (note) => note.replace(/— two\.example .*\n/, ''));
		made.files.delete(STAMP);
		made.sign();
		for (const [name, { code, text: said }] of await verdicts(place(made), given)) {
			assert.equal(code, 0, `${name}\n${said}`);
			assert.match(said, name === 'gocheck' ? /cosigned by one\.example/ : name === 'verify-bundle' ? /seen by enough of the 3/ : /1 of 3 witnesses, not enough/, name);
		}
	});
});
