// Anchors: clusters that witness each other (C2SP tlog-witness), hostile witnesses, and timestamps (RFC 3161).
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { authority, cosigner, serve, text } from './lib/anchors.mjs';
import { freePort, kill, prepare, run, temporary, until } from './lib/cluster.mjs';

const file = (cluster, name) => path.join(cluster.data, name);
const read = (cluster, name) => fs.readFileSync(file(cluster, name), 'utf8');
const size = (note) => Number(note.split('\n')[1]);
const lines = (note) => note.split('\n\n').pop().split('\n').filter(Boolean);

// Something happens: a claim is one event. Resolves with the size of the log that holds it.
async function grow(cluster) {
	const answer = await fetch(`http://127.0.0.1:${cluster.options['claims-port']}/events`, {
		method: 'POST', headers: { 'content-type': 'application/json' },
		body: JSON.stringify({ event: 'grow', agent_id: 'alice', timestamp: '2026-11-23T09:00:00Z' }),
	});
	assert.equal(answer.status, 201);
	return (await answer.json()).seq + 1;
}

// A cluster that has run once, so that it has keys.
async function keyed(name, node) {
	const cluster = await prepare(name, { node, 'claims-port': await freePort(), 'anchor-interval': 1 });
	await cluster.up();
	await cluster.stop();
	return cluster;
}

async function restart(cluster, name) {
	const { pid } = (await cluster.status()).actors.find((actor) => actor.name === name);
	kill(pid);
	await until(`${name} again`, async () => {
		const actor = (await cluster.status()).actors.find((each) => each.name === name);
		return actor.pid !== pid && actor.state === 'running';
	}, 20_000);
}

// The time that a cosignature names.
const cosignedAt = (line) => Number(Buffer.from(line.split(' ')[2], 'base64').readBigUInt64BE(4));

const edit = (at, name, change) => {
	const whole = path.join(at, name);
	const text = fs.readFileSync(whole, 'utf8');
	assert.notEqual(change(text), text);
	fs.writeFileSync(whole, change(text));
};

// What `ifreplay verify` says of a data directory.
async function judged(cluster, data, options = []) {
	const { code, out, err } = await cluster.ifreplay('verify', '--json', '--data-dir', data, ...options);
	const rows = out.split('\n').filter(Boolean).map((line) => JSON.parse(line));
	assert.equal(rows.at(-1)?.kind, 'summary', err);
	return { code, breaks: rows.slice(0, -1), summary: rows.at(-1) };
}

// A cosigned checkpoint of at least that size.
const cosigned = (cluster, least) => until(`a cosigned checkpoint of ${cluster.options.node} from ${least} on`, () => {
	if (!fs.existsSync(file(cluster, 'pub/cosigned'))) return false;
	const note = read(cluster, 'pub/cosigned');
	return size(note) >= least && note;
}, 30_000);

describe('two clusters that witness each other', () => {
	let a;
	let b;

	before(async () => {
		[a, b] = await Promise.all([keyed('anchor-a', 'a'), keyed('anchor-b', 'b')]);
		for (const cluster of [a, b]) cluster.options['witness-port'] = await freePort();
		for (const [one, other] of [[a, b], [b, a]]) {
			fs.writeFileSync(file(one, 'logs.txt'), `# whom we witness\nlog ${read(other, 'log.vkey')}`);
			fs.writeFileSync(file(one, 'policy.txt'), `log ${read(one, 'log.vkey').trim()}\n`
				+ `witness other ${read(other, 'witness.vkey').trim()} http://127.0.0.1:${other.options['witness-port']}\nquorum other\n`);
		}
		await Promise.all([a.up(), b.up()]);
	});
	after(async () => { await a?.close(); await b?.close(); });

	const send = (body, target = '/add-checkpoint', method = 'POST') =>
		fetch(`http://127.0.0.1:${b.options['witness-port']}${target}`, { method, body });

	it('cosign each other, and say so in both logs', async () => {
		for (const [one, other] of [[a, b], [b, a]]) {
			const note = await cosigned(one, 1);
			const name = `ifswarm.local/${other.options.node}/witness`;
			assert.equal(lines(note).length, 2);
			assert.match(lines(note)[1], new RegExp(`^— ${name} [A-Za-z0-9+/=]{104}$`));
			const said = (await one.log('checkpoint_cosigned')).find((row) => row.fields.size === size(note));
			assert.equal(said.fields.witness, name);
			assert.equal(said.fields.line, lines(note)[1]);
			const seen = (await other.log('foreign_checkpoint_cosigned')).find((row) => row.fields.size === size(note));
			assert.equal(seen.fields.origin, `ifswarm.local/${one.options.node}`);
		}
	});

	// What anchors say calls for no anchor: else two that witness each other would go on for ever. Two rounds of a take
	// longer than an interval: had b a reason in what they add to its log, it would have shown it meanwhile. (Nobody asks
	// the log here: a question is an event.)
	it('come to rest when nothing else happens', async () => {
		await until('b to stay as it was cosigned', async () => {
			const before = size(await cosigned(b, 1));
			for (const round of [1, 2]) assert.ok(await cosigned(a, await grow(a)), `round ${round}`);
			return size(read(b, 'pub/cosigned')) === before;
		}, 60_000);
		assert.equal(lines(read(a, 'pub/cosigned')).length, 2);
	});

	it('go on together after any of them was killed', async () => {
		for (const [cluster, name] of [[b, 'witness'], [a, 'anchor'], [b, 'cosigner'], [a, 'witness']]) {
			await grow(a);
			await restart(cluster, name);
			await cosigned(a, await grow(a));
		}
		const seen = (await b.log('foreign_checkpoint_cosigned')).filter((row) => row.fields.origin === 'ifswarm.local/a');
		const sizes = seen.map((row) => row.fields.size);
		assert.deepEqual(sizes, [...new Set(sizes)].sort((x, y) => x - y), 'never a smaller tree after a larger one');
	});

	it('a witness that was killed never goes back behind what it cosigned', async () => {
		const note = await cosigned(a, 1);
		await restart(b, 'witness');
		const answer = await until('an answer', async () => {
			const got = await send(`old 0\n\n${note}`);
			return got.status !== 503 && got.status !== 429 && got;
		});
		assert.equal(answer.status, 409);
		assert.equal(answer.headers.get('content-type'), 'text/x.tlog.size');
		assert.ok(Number(await answer.text()) >= size(note));
	});

	it('the same tree is cosigned again, and logged once', async () => {
		const before = (await b.log('foreign_checkpoint_cosigned')).length;
		const answer = await until('an answer', async () => {
			const note = read(a, 'pub/cosigned');
			const got = await send(`old ${size(note)}\n\n${note}`);
			return got.status === 200 && got;
		});
		assert.match(await answer.text(), /^— ifswarm\.local\/b\/witness [A-Za-z0-9+/=]{104}\n$/);
		assert.equal((await b.log('foreign_checkpoint_cosigned')).length, before);
	});

	for (const [what, make, status] of [
		['no body', () => '', 400],
		['garbage', () => crypto.randomBytes(3000), 400],
		['an old size above the new one', (note) => `old ${size(note) + 1}\n\n${note}`, 400],
		['a log that it does not know', (note) => `old 0\n\n${note.replaceAll('local/a', 'local/x')}`, 404],
		['another root under the same signature', (note) => `old 0\n\n${note.replace(/^(.*\n\d+\n)(.)/, (all, head, first) => head + (first === 'A' ? 'B' : 'A'))}`, 403],
		['no signature by the log', (note) => `old 0\n\n${note.replace(/— ifswarm.local\/a .*\n/, '')}`, 403],
		['a proof that proves nothing', (note) => `old ${size(note)}\n${'A'.repeat(43)}=\n\n${note}`, 422],
		['64 hashes', (note) => `old 5\n${`${'A'.repeat(43)}=\n`.repeat(64)}\n${note}`, 400],
		['more than a request can be', () => Buffer.alloc(40_000, 0x41), 413],
	]) {
		it(`refuses ${what} with ${status} (threat_H3)`, async () => {
			await until('both logs to rest', async () => size(read(a, 'pub/cosigned')) >= 1);
			const answer = await until('an answer', async () => {
				const got = await send(make(read(a, 'pub/cosigned')));
				// What grew meanwhile is another question.
				return ![429, 503, 409].includes(got.status) && got;
			});
			assert.equal(answer.status, status, await answer.text());
		});
	}

	it('takes checkpoints in one place and one way', async () => {
		assert.equal((await send(undefined, '/add-checkpoint', 'GET')).status, 405);
		assert.equal((await send('x', '/add-checkpoint', 'PUT')).status, 405);
		assert.equal((await send('x', '/elsewhere')).status, 404);
		assert.match(await (await send(undefined, '/metrics', 'GET')).text(), /ifswarm_checkpoints_cosigned_total [1-9]/);
	});

	it('ifswarm status says who has seen how much', async () => {
		const grown = await grow(a);
		const { anchors, log } = await until('the witness to have seen it', async () => {
			const status = await a.status();
			return status.anchors?.targets[0].size >= grown && status;
		});
		assert.ok(anchors.round >= anchors.targets[0].size && anchors.age_s >= 0);
		const [target, ...more] = anchors.targets;
		assert.equal(more.length, 0);
		assert.deepEqual([target.name, target.kind, target.failures, target.why], ['other', 'witness', 0, '']);
		assert.equal(target.lag, log.size - target.size);
		const { out } = await a.ifswarm('status');
		assert.match(out, /anchors: the last round showed size \d+, \d+ s ago\n {2}witness {3}other +size \d+, \d+ events behind\n/);
	});

	it('ifreplay verify judges what each said of the other', async () => {
		for (const cluster of [a, b]) {
			const { code, summary } = await judged(cluster, cluster.data);
			assert.equal(code, 0, JSON.stringify(summary));
			const { anchors } = summary;
			assert.ok(anchors.hold > 0 && anchors.hold === anchors.cosignatures, JSON.stringify(anchors));
			assert.equal(anchors.not_judged, 0);
			assert.deepEqual([anchors.witnesses, anchors.witnesses_heard, anchors.witnessed_by], [1, 1, 1]);
			const [first] = (await cluster.log('checkpoint_cosigned')).filter((row) => row.fields.size >= anchors.witnessed_size);
			assert.equal(first.fields.size, anchors.witnessed_size);
			assert.equal(cosignedAt(first.fields.line), anchors.witnessed_time_s);
			assert.match(summary.does_not_prove, new RegExp(`the last checkpoint that 1 of 1 witnesses have seen is ${anchors.witnessed_size}, at `));
			assert.match((await cluster.ifreplay('verify')).out, /cosignatures hold, by 1 of the 1 of policy\.txt\n +the last checkpoint that 1 of 1/);
		}
	});

	it('is backed up while it is cosigned, and the copy holds', async () => {
		const folder = temporary('anchor-backup');
		let grows = true;
		const growing = (async () => { while (grows) await cosigned(a, await grow(a)); })();
		for (let n = 0; n < 10; n++) {
			const { code, text: said } = await a.ifreplay('backup', path.join(folder, String(n)));
			assert.equal(code, 0, said);
		}
		grows = false;
		await growing;
		fs.rmSync(folder, { recursive: true, force: true });
	});

	// Each is done to a copy of a's data; what verify then says, or null: it holds all the same.
	const other = (line) => line.replace(/.{20}$/, (end) => (end[0] === 'A' ? 'B' : 'A') + end.slice(1));
	for (const [what, deed, then, options = []] of [
		['a cosignature altered in pub/', (at) => edit(at, 'pub/cosigned', (note) => note.replace(/— \S+\/witness .*/, other)), 'a cosignature that the log does not know'],
		['the cosigned checkpoint of another log', (at) => fs.copyFileSync(file(b, 'pub/cosigned'), path.join(at, 'pub/cosigned')), 'a cosigned checkpoint is not the log\'s'],
		['pub/cosigned gone', (at) => fs.rmSync(path.join(at, 'pub/cosigned')), null],
		['no policy', (at) => fs.rmSync(path.join(at, 'policy.txt')), null],
		['a policy that is garbage', (at) => fs.writeFileSync(path.join(at, 'policy.txt'), 'x\n'), null],
		['a policy that names another key', (at) => fs.writeFileSync(path.join(at, 'policy.txt'), `witness w ${cosigner('w.example').vkey}\nquorum w\n`), null],
		['--policy without such a file', () => {}, 'what you gave to judge by cannot be read', ['--policy', '/nowhere']],
		['--against a cosigned checkpoint', (at) => fs.copyFileSync(file(a, 'pub/cosigned'), path.join(at, 'kept')), null, ['--against', 'kept']],
		['--against one whose cosignature was altered', (at) => {
			fs.copyFileSync(file(a, 'pub/cosigned'), path.join(at, 'kept'));
			edit(at, 'kept', (note) => note.replace(/— \S+\/witness .*/, other));
		}, 'a cosignature does not hold', ['--against', 'kept']],
	]) {
		it(`ifreplay verify, ${what}`, async () => {
			const folder = temporary('anchor-copy');
			const at = path.join(folder, 'var');
			const made = await a.ifreplay('backup', at);
			assert.equal(made.code, 0, made.text);
			fs.copyFileSync(file(a, 'policy.txt'), path.join(at, 'policy.txt'));
			deed(at);
			const { code, breaks, summary } = await judged(a, at, options.map((word) => (word === 'kept' ? path.join(at, word) : word)));
			assert.deepEqual([...new Set(breaks.map((each) => each.what))], then === null ? [] : [then], JSON.stringify(breaks));
			assert.equal(code, then === null ? 0 : 1);
			const isJudged = !/polic/.test(what) || then !== null;
			assert.equal(summary.anchors.hold > 0, isJudged && what !== '--policy without such a file', JSON.stringify(summary.anchors));
			fs.rmSync(folder, { recursive: true, force: true });
		});
	}
});

describe('witnesses that are hostile, broken or slow', () => {
	// Each has a key of policy.txt; only what it answers is wrong.
	const answers = {
		good: (me, body, response) => response.end(me.line(text(body))),
		'wrong-key': (me, body, response) => response.end(cosigner('wrong-key.example').line(text(body))),
		'wrong-origin': (me, body, response) => response.end(me.line(text(body).replace('local/', 'local/not-'))),
		'wrong-size': (me, body, response) => response.end(me.line(text(body).replace(/\n\d+\n/, '\n1\n'))),
		truncated: (me, body, response) => response.end(me.line(text(body)).slice(0, -9)),
		huge: (me, body, response) => response.end(Buffer.alloc(1 << 20, 'x')),
		'far-ahead': (me, body, response) => { response.statusCode = 409; response.end('999999999\n'); },
		'never-content': (me, body, response) => { response.statusCode = 409; response.end('1\n'); },
		silent: () => {},
	};
	let cluster;
	let servers = [];

	before(async () => {
		cluster = await keyed('anchor-liars', 'liars');
		const policy = await Promise.all(Object.entries(answers).map(async ([name, answer]) => {
			const me = cosigner(`${name}.example`);
			const server = await serve((body, response) => answer(me, body, response));
			servers.push(server);
			return `witness ${name} ${me.vkey} ${server.url}\n`;
		}));
		fs.writeFileSync(file(cluster, 'policy.txt'), `${policy.join('')}quorum good\n`);
		await cluster.up();
	});
	after(async () => {
		for (const server of servers) server.close();
		await cluster?.close();
	});

	it('keep nobody from the one that is honest (threat_H3)', async () => {
		for (const round of [1, 2]) {
			const note = await cosigned(cluster, await grow(cluster));
			assert.equal(lines(note).length, 2, `round ${round}: the log's own line and one cosignature`);
			assert.match(lines(note)[1], /^— good\.example /);
		}
	});

	for (const [name, what] of [['wrong-key', 'no cosignature'], ['wrong-origin', 'no cosignature'], ['wrong-size', 'no cosignature'],
		['truncated', 'no cosignature'], ['huge', 'larger than 65536'], ['far-ahead', 'has seen 999999999'], ['never-content', '409 again and again']]) {
		it(`${name} is named with what is wrong`, async () => {
			const said = await until(`a line about ${name}`, () => cluster.err.split('\n').find((line) => line.includes(`witness ${name}: `)));
			assert.match(said, new RegExp(what));
		});
	}

	it('ifswarm status says what is wrong with whom, and who is behind', async () => {
		const { anchors } = await cluster.status();
		const of = (name) => anchors.targets.find((target) => target.name === name);
		assert.ok(of('good').size > 0 && of('good').failures === 0);
		assert.equal(of('far-ahead').size, 0);
		assert.match(of('far-ahead').why, /has seen 999999999/);
		assert.match((await cluster.ifswarm('status')).out, /witness {3}far-ahead +nothing seen since the anchor's start; failing: it has seen 999999999/);
	});

	it('leave no event', async () => {
		const rows = await cluster.log('checkpoint_cosigned');
		assert.ok(rows.length > 0);
		for (const row of rows) assert.equal(row.fields.witness, 'good.example');
	});
});

describe('timestamps by an authority', () => {
	let cluster;
	let tsa;
	let server;
	let stranger; // another authority
	let lied = false; // once

	before(async () => {
		tsa = await authority();
		server = await serve(async (query, response) => {
			if (lied) return response.end(await tsa.reply(query));
			lied = true;
			// The token is sound, but answers another query.
			const other = Buffer.from(query);
			other[other.length - 5] ^= 1;
			return response.end(await tsa.reply(other));
		});
		cluster = await keyed('anchor-tsa', 'stamped');
		Object.assign(cluster.options, { 'tsa-url': `${server.url}/tsa`, 'tsa-ca-file': tsa.at('tsa.pem') });
		await cluster.up();
	});
	after(async () => {
		server?.close();
		await cluster?.close();
		for (const each of [tsa, stranger]) if (each) fs.rmSync(each.folder, { recursive: true, force: true });
	});

	it('are refused for another query, asked for again, logged, and checked by openssl (threat_H3)', async () => {
		const [row] = await until('a timestamp', async () => {
			const rows = await cluster.log('checkpoint_timestamped');
			return rows.length > 0 && rows;
		}, 30_000);
		assert.match(cluster.err, /timestamps by http:\/\/127\.0\.0\.1:\d+\/tsa: /);
		const stamp = file(cluster, `pub/timestamp/${row.fields.size}`);
		assert.equal(crypto.createHash('sha256').update(fs.readFileSync(`${stamp}.tsr`)).digest('hex'), row.fields.token);
		const { code, text: said } = await run('openssl', ['ts', '-verify', '-data', `${stamp}.checkpoint`, '-in', `${stamp}.tsr`,
			'-CAfile', tsa.at('tsa.pem')]);
		assert.equal(code, 0, said);
	});

	const one = (at) => {
		const folder = path.join(at, 'pub/timestamp');
		const name = fs.readdirSync(folder).find((each) => each.endsWith('.tsr'));
		return path.join(folder, name);
	};
	for (const [what, deed, then, tokens, options] of [
		['is verified under the authority', () => {}, null, 1],
		['is verified under the authority that is named', () => {}, null, 1, () => ['--tsa-ca', tsa.at('tsa.pem')]],
		['by another authority', () => {}, 'a timestamp does not hold', 0, async () => {
			stranger = await authority();
			return ['--tsa-ca', stranger.at('tsa.pem')];
		}],
		['altered', (at) => { const bytes = fs.readFileSync(one(at)); bytes[bytes.length - 9] ^= 1; fs.writeFileSync(one(at), bytes); }, 'a timestamp is not the one that was logged', 0],
		['missing', (at) => fs.rmSync(one(at)), null, 0],
		['without what it is over', (at) => fs.rmSync(one(at).replace(/tsr$/, 'checkpoint')), 'what was timestamped is missing', 0],
		['over another checkpoint', (at) => fs.copyFileSync(path.join(at, 'pub/checkpoint'), one(at).replace(/tsr$/, 'checkpoint')), 'what was timestamped is another checkpoint', 0],
	]) {
		it(`ifreplay verify: a token, ${what}`, async () => {
			const folder = temporary('anchor-copy');
			const at = path.join(folder, 'var');
			const stamped = Number(path.basename(one(cluster.data), '.tsr'));
			await until('a later checkpoint', async () => (await grow(cluster), size(read(cluster, 'pub/checkpoint')) > stamped));
			assert.equal((await cluster.ifreplay('backup', at)).code, 0);
			fs.mkdirSync(path.join(at, 'run'));
			fs.copyFileSync(file(cluster, 'run/settings'), path.join(at, 'run/settings'));
			deed(at);
			const { code, breaks, summary } = await judged(cluster, at, await options?.() ?? []);
			assert.deepEqual(breaks.map((each) => each.what), then === null ? [] : [then], JSON.stringify(breaks));
			assert.equal(code, then === null ? 0 : 1);
			assert.deepEqual([summary.anchors.timestamps, summary.anchors.timestamp_signers_judged, summary.anchors.timestamps_missing],
				[tokens, true, what === 'missing' ? 1 : 0]);
			fs.rmSync(folder, { recursive: true, force: true });
		});
	}

	it('ifreplay verify says that a signer was not judged', async () => {
		const folder = temporary('anchor-copy');
		const at = path.join(folder, 'var');
		assert.equal((await cluster.ifreplay('backup', at)).code, 0);
		const { code, out } = await cluster.ifreplay('verify', '--data-dir', at);
		assert.equal(code, 0, out);
		assert.match(out, /timestamps +1 hold, .*\n +who signed them was not judged/);
		fs.rmSync(folder, { recursive: true, force: true });
	});
});
