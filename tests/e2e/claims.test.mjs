// What deployed clients do with WITNESS_LOGGER_URL: claims over HTTP, answered when they are in the log.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort, kill, run, sleep, start, temporary, until } from './lib/cluster.mjs';

const claim = (more = {}) => ({ event: 'call_started', agent_id: 'alice', peer_id: 'bob', timestamp: '2026-11-23T09:00:00Z', ...more });
const post = (url, body, headers = {}, method = 'POST') => fetch(url, {
	method, headers: { 'content-type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe('claims', () => {
	let cluster;
	let url;

	before(async () => {
		const port = await freePort();
		cluster = await start('claims', { 'claims-port': port });
		url = `http://127.0.0.1:${port}`;
	});
	after(() => cluster.close());

	const claims = async () => (await cluster.log('claim_reported'));

	it('are answered with the seq under which ifreplay shows them', async () => {
		for (const target of ['/events', '/api/events', '/api/log', '//events', '/events/']) {
			const answer = await post(`${url}${target}`, claim({ trace_id: `t${target}`, metadata: { bytes: 7 } }));
			const { seq, accepted } = await answer.json();
			assert.equal(answer.status, 201);
			assert.equal(accepted, 1);
			const row = (await claims()).find((each) => each.seq === seq);
			assert.equal(row.stream, 'claimed');
			assert.equal(row.fields.agent_name, 'alice');
			assert.equal(row.fields.trace, `t${target}`);
			assert.equal(row.fields.metadata, '{"bytes":7}');
		}
	});

	it('come in arrays and as NDJSON, all or nothing', async () => {
		const before = (await claims()).length;
		const array = await (await post(`${url}/events`, [claim(), claim({ agent_id: 'carol' })])).json();
		assert.equal(array.seqs.length, 2);
		const lines = await post(`${url}/api/log`, `${JSON.stringify(claim())}\n${JSON.stringify(claim())}\n`, { 'content-type': 'application/x-ndjson' });
		assert.equal(lines.status, 201);
		const refused = await post(`${url}/events`, [claim(), { event: 'x' }]);
		assert.equal(refused.status, 400);
		assert.match((await refused.json()).error, /claim 1: agent_id is missing/);
		assert.equal((await claims()).length, before + 4);
	});

	for (const [what, send, status, says] of [
		['no JSON', () => post(`${url}/events`, 'hello'), 400, /not JSON/],
		['an empty body', () => post(`${url}/events`, ''), 400, /no claim/],
		['another path', () => post(`${url}/nowhere`, claim()), 404, /\/events/],
		['GET', () => fetch(`${url}/events`), 405, /POST/],
		['PUT', () => post(`${url}/events`, claim(), {}, 'PUT'), 405, /POST/],
		['too many claims', () => post(`${url}/events`, Array.from({ length: 257 }, () => claim())), 413, /256/],
		['too much metadata', () => post(`${url}/events`, claim({ metadata: 'x'.repeat(2000) })), 413, /1024/],
	]) {
		it(`refuses ${what} by name (threat_H3)`, async () => {
			const answer = await send();
			assert.equal(answer.status, status);
			assert.match((await answer.json()).error, says);
		});
	}

	it('refuses a body beyond a mebibyte without reading it (threat_H3)', () => {
		const file = path.join(cluster.data, 'huge');
		fs.writeFileSync(file, Buffer.alloc(3 << 20, 0x20));
		const code = execFileSync('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--data-binary', `@${file}`, `${url}/events`]).toString();
		fs.rmSync(file);
		assert.equal(code, '413');
	});

	it('says which members it did not keep', async () => {
		const answer = await post(`${url}/events`, claim({ severity: 'high' }));
		assert.deepEqual((await answer.json()).ignored, ['severity']);
	});

	it('marks them as what an agent says, never as observed', async () => {
		const { out } = await cluster.ifreplay('log', '--stream', 'claimed', '--limit', '1');
		assert.match(out, /claim_reported/);
		const { code, text } = await cluster.ifreplay('verify');
		assert.equal(code, 0, text);
	});

	it('take what many clients send at once', async () => {
		const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => post(`${url}/events`, claim({ trace_id: `many-${n}` }))));
		const seqs = new Set((await Promise.all(answers.map((each) => each.json()))).map(({ seq }) => seq));
		assert.equal(seqs.size, 200);
	});

	it('lose nothing that was answered when witness and intake are killed', async () => {
		const answered = new Set();
		let stop = false;
		const sender = (async () => {
			for (let n = 0; !stop; n++) {
				const answer = await post(`${url}/events`, claim({ trace_id: `kill-${n}` })).catch(() => null);
				if (answer?.status === 201) answered.add(`kill-${n}`);
				else await sleep(20);
			}
		})();
		for (const name of ['witness', 'intake', 'witness']) {
			await sleep(300);
			const { pid } = (await cluster.status()).actors.find((actor) => actor.name === name);
			kill(pid);
			await until(`${name} again`, async () => {
				const actor = (await cluster.status()).actors.find((each) => each.name === name);
				return actor.pid !== pid && actor.state === 'running';
			}, 15_000);
		}
		const before = answered.size;
		await until('claims taken again', () => answered.size > before + 5, 15_000);
		stop = true;
		await sender;
		const logged = (await claims()).map((row) => row.fields.trace);
		for (const trace of answered) assert.equal(logged.filter((each) => each === trace).length, 1, trace);
	});

	it('are counted at /metrics, with no name in it', async () => {
		const text = await (await fetch(`${url}/metrics`)).text();
		assert.match(text, /^ifswarm_claims_total [0-9]+$/m);
		assert.doesNotMatch(text, /alice/);
	});
});

describe('claims with a token', () => {
	it('are taken from who shows it, and limited by address', async () => {
		const folder = temporary('claims-token');
		const file = path.join(folder, 'ifswarm.conf');
		fs.writeFileSync(file, 'claims-token = correct-horse\n', { mode: 0o600 });
		const port = await freePort();
		const cluster = await start('claims-token', { 'claims-port': port, 'claims-rate': 20, config: file });
		const url = `http://127.0.0.1:${port}/events`;
		for (const [headers, status] of [[{}, 401], [{ authorization: 'Bearer wrong-horse!!' }, 401], [{ authorization: 'Bearer correct-horse' }, 201]]) {
			const answer = await post(url, claim(), headers);
			assert.equal(answer.status, status);
			if (status === 401) assert.match(answer.headers.get('www-authenticate'), /^Bearer/);
		}
		// As fast as we can, which may not be fast enough at first.
		const limited = await until('one too many in a second', async () => {
			const many = await Promise.all(Array.from({ length: 60 }, () => post(url, claim(), { authorization: 'Bearer correct-horse' })));
			return many.find((each) => each.status === 429);
		});
		assert.equal(limited.headers.get('retry-after'), '1');
		await cluster.close();
		fs.rmSync(folder, { recursive: true });
	});

	it('need one beyond loopback', async () => {
		const folder = temporary('claims-check');
		const { code, text } = await run(path.join(process.env.IFSWARM_BIN, 'ifswarm'), ['config', 'check', '--claims-host', '0.0.0.0'], { data: folder });
		assert.notEqual(code, 0);
		assert.match(text, /claims-token/);
		fs.rmSync(folder, { recursive: true, force: true });
	});
});
