// The checkers of bundles, which share no code: sh with openssl, python3, Go's own transparency log, and ours.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { bin, run, source } from './cluster.mjs';

const nothing = () => null;

// All of them, working in that folder.
export async function checkersIn(folder) {
	const verifiers = path.join(source, 'replay/verifier');
	const go = path.join(folder, 'gocheck');
	const ifreplay = path.join(bin, 'ifreplay');
	let serial = 0;

	const built = await run('go', ['build', '-o', go, path.join(source, 'tests/gocheck/main.go')], {
		env: { GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: path.join(folder, 'cache'), GOFLAGS: '' }, timeout: 120_000,
	});
	assert.equal(built.code, 0, built.text);
	// Each takes a folder or a tar; null: it does not read this kind.
	const checkers = {
		'verify.sh': (at, keys) => (at.folder ? run('sh', [path.join(verifiers, 'verify.sh'), ...keys, at.folder]) : nothing()),
		'verify.py': (at, keys) => run('python3', [path.join(verifiers, 'verify.py'), ...keys, at.tar ?? at.folder]),
		gocheck: (at, keys) => (at.folder ? run(go, [...keys, at.folder]) : nothing()),
		'verify-bundle': (at, keys) => run(ifreplay, ['verify-bundle', ...keys, at.tar ?? at.folder]),
	};
	const keysOf = (keys, name) => (typeof keys === 'function' ? keys(name) : keys);

	// [name, result] of each that reads it; `keys`: options for all, or a function from the checker's name.
	async function verdicts(at, keys = []) {
		const results = await Promise.all(Object.entries(checkers).map(async ([name, check]) => [name, await check(at, keysOf(keys, name))]));
		return results.filter(([, result]) => result);
	}

	return {
		checkers,
		place(bundle, links = []) {
			const to = path.join(folder, String(++serial));
			fs.mkdirSync(to);
			bundle.unpack(to);
			for (const [name, target] of links) fs.symlinkSync(target, path.join(to, name));
			return { folder: to };
		},
		placeTar(bytes) {
			const to = path.join(folder, `${++serial}.tar`);
			fs.writeFileSync(to, bytes);
			return { tar: to };
		},
		verdicts,
		async refused(at, keys = []) {
			for (const [name, { code, text }] of await verdicts(at, keys)) {
				assert.equal(code, 1, `${name}\n${text}`);
				assert.match(text, /DOES NOT HOLD|does not hold|BREAK/, name);
				assert.doesNotMatch(text, /Traceback|AddressSanitizer|panic:|not found\n.*sh:/, `${name}\n${text}`);
			}
		},
	};
}
