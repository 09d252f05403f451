// Names are chosen by strangers: what drives a terminal, a spreadsheet or a page must come out of every form of the
// evidence as harmless text, and be the same name still.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { join, offer } from './lib/agent.mjs';
import { run, start, temporary, until } from './lib/cluster.mjs';

const RTL = '\u202egpj.exe';
const names = ['=HYPERLINK("http://x","y")', '+1+cmd|\' /C calc\'!A0', '@SUM(1)', '-2+3', RTL, '<script>alert(1)</script>', '"a",b;c', '\uff1d1+1',
	"x'); DROP TABLE event; --", '%n%s%x', "' OR '1'='1"]; // threat_G5

describe('hostile names', () => {
	let cluster;
	const folder = temporary('names');
	before(async () => {
		cluster = await start('names');
		const agents = await Promise.all(names.map((name) => join(cluster.url, name)));
		agents[0].send(offer(names[0], RTL, 'sdp'));
		await agents[names.indexOf(RTL)].next('offer');
		await Promise.all(agents.map((agent) => agent.close()));
		await until('all have left', async () => (await cluster.log('agent_disconnected')).length === names.length);
	});
	after(async () => {
		await cluster?.close();
		fs.rmSync(folder, { recursive: true, force: true });
	});

	it('that hold control characters never get in', async () => {
		for (const name of ['\u001b[2Jred', 'line\nbreak', 'bell\u0007']) await assert.rejects(join(cluster.url, name), undefined, JSON.stringify(name));
	});

	it('are the same in JSON', async () => {
		const registered = (await cluster.log('agent_registered')).map(({ fields }) => fields.agent_name);
		assert.deepEqual([...registered].sort(), [...names].sort());
	});

	for (const [command, args] of [['log', []], ['agent', [names[0]]], ['room', ['default']], ['peers', [names[0]]], ['timeline', []], ['report', ['--text']]]) {
		it(`drive no terminal: ${command}`, async () => {
			const { code, out, text } = await cluster.ifreplay(command, ...args, ...(command === 'report' ? ['--profile', 'none'] : []));
			assert.equal(code, 0, text);
			assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/);
			assert.ok(out.includes('\\xe2\\x80\\xaegpj'), out.slice(0, 2000));
		});
	}

	// RFC 4180, read as a spreadsheet does: what begins a cell decides whether it is a formula.
	function cells(csv) {
		const found = [];
		for (const [, quoted, plain] of csv.matchAll(/(?:^|,|\r\n)(?:"((?:[^"]|"")*)"|([^,\r\n]*))/g)) found.push((quoted ?? plain).replaceAll('""', '"'));
		return found;
	}
	function assertNoFormula(csv) {
		for (const cell of cells(csv)) assert.doesNotMatch(cell, /^\s*(?:[=+@\uff1d\uff0b\uff20\t\r]|-(?!$))/, JSON.stringify(cell));
		assert.ok(cells(csv).some((cell) => cell.includes('HYPERLINK')));
	}

	for (const [command, args] of [['timeline', []], ['room', ['default']]]) {
		it(`are no formula in a spreadsheet: ${command} --csv`, async () => {
			const { code, out, text } = await cluster.ifreplay(command, ...args, '--csv');
			assert.equal(code, 0, text);
			assertNoFormula(out);
		});
	}

	it('are no formula and no markup in a bundle', async () => {
		const file = path.join(folder, 'names.tar');
		const made = await cluster.ifreplay('export', file, '--from', '0', '--profile', 'none');
		assert.equal(made.code, 0, made.text);
		assert.equal((await run('tar', ['xf', file, '-C', folder])).code, 0);
		assertNoFormula(fs.readFileSync(path.join(folder, 'data/events.csv'), 'utf8'));
		const html = fs.readFileSync(path.join(folder, 'report.html'), 'utf8');
		assert.ok(html.includes('&lt;script&gt;alert(1)'));
		assert.ok(!html.includes('<script>') && !html.includes('\u202e'));
		assert.ok(!fs.readFileSync(path.join(folder, 'report.txt'), 'utf8').includes('\u202e'));
		const checked = await run('python3', [path.join(folder, 'verify/verify.py'), file]);
		assert.equal(checked.code, 0, checked.text);
	});
});
