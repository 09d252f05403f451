// A turnserver.conf of coturn, as its users have it, on its way to ifswarm.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { bin, run, temporary } from './lib/cluster.mjs';

const ifswarm = (...words) => run(path.join(bin, 'ifswarm'), words);

// The shape of most guides: a public server with REST credentials, TLS, and the ranges that must be denied.
const typical = `
listening-port=3478
tls-listening-port=5349
listening-ip=192.0.2.10
external-ip=203.0.113.7/192.0.2.10
min-port=49152
max-port=65535
fingerprint
use-auth-secret
static-auth-secret=north-sea-oil-and-gas
realm=turn.example.org
total-quota=100
user-quota=12
bps-capacity=3000000
max-bps=30000
stale-nonce=600
cert=/etc/ssl/turn.pem
pkey=/etc/ssl/turn.key
no-multicast-peers
no-cli
denied-peer-ip=10.0.0.0-10.255.255.255
denied-peer-ip=192.168.0.0-192.168.255.255
cipher-list="ECDHE-RSA-AES256-GCM-SHA512"
syslog
`;

describe('config import', () => {
	const directory = temporary('import');
	const file = (name, text) => {
		const at = path.join(directory, name);
		if (text !== undefined) fs.writeFileSync(at, text);
		return at;
	};

	it('takes a typical one, says of each line what became of it, and config check accepts it', async () => {
		const from = file('turnserver.conf', typical);
		const to = file('ifswarm.conf');
		const result = await ifswarm('config', 'import', from, '--output', to);
		assert.equal(result.code, 0, result.text);
		assert.match(result.err, /turnserver\.conf:2: taken: listening-port/);
		assert.match(result.err, /turnserver\.conf:8: left: fingerprint: /);
		assert.match(result.err, /turnserver\.conf:14: differs: bps-capacity: .*508/);
		assert.match(result.err, /turnserver\.conf:23: left: cipher-list: /);
		const mentioned = typical.split('\n').map((line, i) => line && `turnserver.conf:${i + 1}: `).filter(Boolean);
		for (const place of mentioned) assert.ok(result.err.includes(place), place);
		assert.ok(!result.text.includes('north-sea'), 'the secret is not said');
		assert.equal(fs.statSync(to).mode & 0o777, 0o600);
		assert.match(fs.readFileSync(to, 'utf8'), /^static-auth-secret = north-sea-oil-and-gas$/m);
		// Its certificate does not exist here: that alone is what the check may find.
		fs.writeFileSync(to, fs.readFileSync(to, 'utf8').replace(/^(cert|pkey) = .*\n/gm, ''));
		const check = await ifswarm('config', 'check', '--config', to);
		assert.equal(check.code, 0, check.text);
	});

	it('never overwrites without --force, and keeps secrets out of standard output', async () => {
		const from = file('again.conf', typical);
		const to = file('kept.conf', 'mine\n');
		const refused = await ifswarm('config', 'import', from, '--output', to);
		assert.equal(refused.code, 1);
		assert.match(refused.err, /exists: choose another name, or --force/);
		assert.equal(fs.readFileSync(to, 'utf8'), 'mine\n');
		assert.equal((await ifswarm('config', 'import', from, '--output', to, '--force')).code, 0);
		assert.match(fs.readFileSync(to, 'utf8'), /^realm = turn\.example\.org$/m);
		const shown = await ifswarm('config', 'import', from);
		assert.match(shown.out, /^realm = turn\.example\.org$/m);
		assert.ok(!shown.text.includes('north-sea'));
	});

	it("takes Debian's own, and every key that it mentions", async (t) => {
		const debian = '/etc/turnserver.conf';
		if (!fs.existsSync(debian)) return t.skip('coturn is not installed');
		assert.equal((await ifswarm('config', 'import', debian, '--output', file('debian.conf'))).code, 0);
		assert.equal((await ifswarm('config', 'check', '--config', file('debian.conf'))).code, 0);
		// Each commented key, as a bare word: none may be unknown.
		const keys = new Set([...fs.readFileSync(debian, 'utf8').matchAll(/^#([a-z][a-z0-9_-]+)(=|$)/gm)].map((each) => each[1]));
		assert.ok(keys.size > 50);
		const result = await ifswarm('config', 'import', file('keys.conf', [...keys].join('\n')));
		assert.doesNotMatch(result.err, /no key of coturn's/);
	});

	it('says what cannot start, and what cannot be read', async () => {
		const bad = await ifswarm('config', 'import', file('bad.conf', 'min-port=60000\nmax-port=50000\n'));
		assert.equal(bad.code, 1);
		assert.match(bad.err, /^fault: .*min-port 60000 is above/m);
		assert.equal((await ifswarm('config', 'import', file('nowhere.conf'))).code, 1);
		assert.equal((await ifswarm('config', 'import', directory)).code, 1);
		assert.equal((await ifswarm('config', 'import')).code, 2);
	});
});
