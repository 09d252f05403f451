// Those who anchor, made by the test: a witness's key and cosignature (C2SP tlog-cosignature), an authority (`openssl ts`),
// and the HTTP servers that they answer from.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { run, temporary } from './cluster.mjs';

// An HTTP server of the test; `answer(request's body, response)`.
export async function serve(answer) {
	const server = http.createServer((request, response) => {
		const parts = [];
		request.on('data', (part) => parts.push(part));
		request.on('end', () => answer(Buffer.concat(parts), response));
		request.on('error', () => {});
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		url: `http://127.0.0.1:${server.address().port}`,
		close: () => { server.closeAllConnections(); server.close(); },
	};
}

// What a witness signs: C2SP signed-note's key, and tlog-cosignature's line.
export function cosigner(name) {
	const { privateKey, publicKey } = crypto.generateKeyPairSync('ed25519');
	const raw = Buffer.concat([Buffer.from([4]), publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)]);
	const id = crypto.createHash('sha256').update(`${name}\n`).update(raw).digest().subarray(0, 4);
	return {
		vkey: `${name}+${id.toString('hex')}+${raw.toString('base64')}`,
		line(text) {
			const seconds = Math.floor(Date.now() / 1000);
			const time = Buffer.alloc(8);
			time.writeBigUInt64BE(BigInt(seconds));
			const signature = crypto.sign(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`), privateKey);
			return `— ${name} ${Buffer.concat([id, time, signature]).toString('base64')}\n`;
		},
	};
}
// The checkpoint of an add-checkpoint request.
export const text = (body) => body.toString().split('\n\n').slice(1).join('\n\n').split('\n\n')[0] + '\n';

// A timestamping authority: `openssl ts` behind HTTP. Resolves with its folder and its answer to a query.
export async function authority() {
	const folder = temporary('tsa');
	const at = (name) => path.join(folder, name);
	const openssl = async (...args) => {
		const { code, text: said } = await run('openssl', args, { cwd: folder });
		assert.equal(code, 0, said);
	};
	fs.writeFileSync(at('ts.cnf'), ['[tsa]', 'default_tsa = t', '[t]', 'serial = serial', 'signer_digest = sha256',
		'default_policy = 1.2.3.4', 'digests = sha256', 'ordering = yes', 'ess_cert_id_chain = no', ''].join('\n'));
	fs.writeFileSync(at('serial'), '01\n');
	await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key.pem', '-out', 'tsa.pem', '-days', '30',
		'-subj', '/CN=tsa.example', '-addext', 'extendedKeyUsage=critical,timeStamping');
	async function answer(query) {
		fs.writeFileSync(at('query'), query);
		await openssl('ts', '-reply', '-config', 'ts.cnf', '-section', 't', '-queryfile', 'query', '-inkey', 'key.pem',
			'-signer', 'tsa.pem', '-out', 'reply');
		return fs.readFileSync(at('reply'));
	}
	// One after another: the anchor and an export may ask at once, and there is one file for the query, and one serial.
	let last = Promise.resolve();
	return { folder, at, reply: (query) => (last = last.catch(() => {}).then(() => answer(query))) };
}
