// An authority of the tests' own, and certificates that it signs, made by openssl.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { run } from './cluster.mjs';

async function openssl(...args) {
	const { code, text } = await run('openssl', args);
	assert.equal(code, 0, text);
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

// { ca: its certificate (path), issue(name, { hosts, days, algorithm }) -> { cert, key } (paths) }. Days 0: it has
// expired by the time it is used.
export async function authority(directory) {
	const file = (name) => path.join(directory, name);
	const ca = file('ca.pem');
	await openssl('req', '-x509', ...EC, '-keyout', file('ca.key'), '-out', ca, '-subj', '/CN=ifswarm test authority',
		'-days', '30', '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign');
	const issue = async (name, { hosts = 'IP:127.0.0.1,IP:::1,DNS:localhost', days = 30, algorithm = EC } = {}) => {
		const [key, request, cert, extensions] = ['key', 'csr', 'pem', 'ext'].map((kind) => file(`${name}.${kind}`));
		fs.writeFileSync(extensions, `subjectAltName=${hosts}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n`);
		await openssl('req', ...algorithm, '-keyout', key, '-out', request, '-subj', `/CN=${name}`);
		await openssl('x509', '-req', '-in', request, '-CA', ca, '-CAkey', file('ca.key'), '-CAcreateserial', '-out', cert,
			'-days', String(days), '-extfile', extensions);
		return { cert, key };
	};
	return { ca, issue };
}
