// TURN over TLS and DTLS, as coturn's client, openssl and node see it.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { run, sleep, start, prepare, temporary, until } from './lib/cluster.mjs';
import { authority } from './lib/certificates.mjs';
import { assertNothingLost, echoTool, uclient } from './lib/coturn.mjs';
import { TcpTurnClient, echoPeer } from './lib/turn.mjs';

const directory = temporary('certificates');
let ca;
let first;
let second;
before(async () => {
	ca = await authority(directory);
	first = await ca.issue('first');
	second = await ca.issue('second', { algorithm: ['-newkey', 'rsa:2048', '-nodes'] });
});
after(() => fs.rmSync(directory, { recursive: true, force: true }));

async function client(cluster, name, more = {}) {
	const { username, credential: password } = await cluster.credential(name);
	const { secure, ...rest } = more;
	const made = new TcpTurnClient({
		port: cluster.ports.turns, username, password, secure: { ca: fs.readFileSync(ca.ca), ...secure }, ...rest,
	});
	await made.ready;
	return made;
}

// What openssl's own client says of a handshake with these flags.
const handshake = (port, ...flags) => run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', ca.ca, ...flags]);

// Resolves when the server has closed it; whatever it says before is gathered.
function stranger(port, bytes) {
	const socket = net.connect({ host: '127.0.0.1', port }, () => socket.write(bytes));
	socket.unref();
	socket.on('error', () => {});
	let heard = Buffer.alloc(0);
	socket.on('data', (more) => { heard = Buffer.concat([heard, more]); });
	return new Promise((resolve) => socket.once('close', () => resolve(heard)));
}

describe('TURN over TLS', { concurrency: 2 }, () => {
	let cluster;
	before(async () => {
		cluster = await start('turns', {
			cert: first.cert, pkey: first.key, 'turn-tcp': 'yes', 'tls-on-turn-tcp': 'yes', 'allowed-peer-ip': ['127.0.0.1', '::1'],
		});
	});
	after(() => cluster?.close());

	it('is told to clients, and in the ready line', async () => {
		const { urls } = await cluster.credential('told');
		assert.ok(urls.includes(`turns:127.0.0.1:${cluster.ports.turns}?transport=tcp`), String(urls));
		assert.match(cluster.out, new RegExp(`^ready .* turns:127\\.0\\.0\\.1:${cluster.ports.turns} `));
	});

	for (const version of ['TLSv1.2', 'TLSv1.3']) {
		it(`takes one byte at a time, and several messages at once, over ${version} (threat_F13)`, async () => {
			const made = await client(cluster, 'slow', { cut: 1, secure: { minVersion: version, maxVersion: version } });
			assert.equal(made.socket.getProtocol(), version);
			const echo = await echoPeer();
			let heard = 0;
			made.on('data', () => { heard++; });
			await made.allocate();
			await made.bindChannel(0x4000, echo);
			made.cut = 0;
			const data = Buffer.concat([Buffer.from([0x40, 0, 0, 200]), Buffer.alloc(200, 'x')]);
			await made.write(Buffer.concat(Array(120).fill(data)));
			await until('120 echoes', () => heard === 120);
			await Promise.all([made.close(), echo.close()]);
		});
	}

	it('is a port that nobody gets as a peer (threat_B8)', async () => {
		const made = await client(cluster, 'inward');
		await made.allocate();
		await assert.rejects(made.bindChannel(0x4000, { address: '127.0.0.1', port: cluster.ports.turns }), (error) => error.code === 403);
		await made.close();
	});

	it('carries messages longer than a record', async () => {
		const made = await client(cluster, 'long');
		const echo = await echoPeer();
		const heard = [];
		made.on('data', (payload) => heard.push(payload));
		await made.allocate();
		await made.bindChannel(0x4000, echo);
		await made.sendChannel(0x4000, Buffer.alloc(40_001, 'y'));
		await until('the echo', () => heard.length === 1);
		assert.deepEqual(heard[0], Buffer.alloc(40_001, 'y'));
		await Promise.all([made.close(), echo.close()]);
	});

	it('takes TLS 1.2 and 1.3 and nothing older (threat_G1)', async () => {
		for (const version of ['-tls1_2', '-tls1_3']) {
			const { out } = await handshake(cluster.ports.turns, version, '-verify_return_error');
			assert.match(out, /Verification: OK/, out);
		}
		for (const version of ['-tls1', '-tls1_1']) {
			const { code, text } = await handshake(cluster.ports.turns, version, '-cipher', 'ALL:@SECLEVEL=0');
			assert.notEqual(code, 0, text);
			assert.match(text, /alert protocol version/, text);
		}
	});

	it('chooses stun.turn, serves who offers nothing, and refuses who offers only what it does not speak (threat_G1)', async () => {
		const offering = async (...names) =>
			(await handshake(cluster.ports.turns, ...(names.length ? ['-alpn', names.join(',')] : []))).text;
		assert.match(await offering(), /No ALPN negotiated/);
		assert.match(await offering('h2', 'stun.nat-discovery', 'stun.turn'), /ALPN protocol: stun\.turn/);
		assert.match(await offering('h2', 'stun.nat-discovery'), /ALPN protocol: stun\.nat-discovery/);
		assert.match(await offering('h2', 'http/1.1'), /alert no application protocol/);
	});

	it('closes what is no TLS or no TURN, and nobody else (threat_G2)', async () => {
		const held = await client(cluster, 'held');
		await held.allocate();
		for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\r\n\r\n', Buffer.from('000100002112a442', 'hex'), 
			Buffer.from('160301000501ffffff00', 'hex'), Buffer.from('150301000202ff', 'hex'), Buffer.alloc(70_000, 0x16)]) {
			assert.ok((await stranger(cluster.ports.turns, bytes)).length < 64);
		}
		for (const bytes of ['GET / HTTP/1.1\r\n\r\n', Buffer.from('80', 'hex'), Buffer.from('0003ffff', 'hex')]) {
			const made = await client(cluster, 'stranger');
			await made.write(bytes);
			await made.closed;
		}
		assert.equal(await held.refresh(600), 600);
		await held.close();
	});

	it('closes handshakes that do not end, and connections that ask for nothing (threat_D13)', async () => {
		const hello = await new Promise((resolve) => {
			const server = net.createServer((socket) => socket.once('data', (bytes) => {
				socket.destroy();
				server.close();
				resolve(bytes);
			})).listen(0, '127.0.0.1', () => tls.connect({ port: server.address().port, host: '127.0.0.1' }).on('error', () => {}));
		});
		const silent = await client(cluster, 'silent');
		const allocated = await client(cluster, 'allocated');
		await allocated.allocate();
		const began = Date.now();
		const ports = [cluster.ports.turns, cluster.ports.turn];
		await Promise.all([silent.closed, ...ports.flatMap((port) =>
			['', hello.subarray(0, 1), hello.subarray(0, 40), hello].map((bytes) => stranger(port, bytes)))]);
		assert.ok(Date.now() - began > 20_000);
		assert.equal(await allocated.refresh(600), 600);
		await allocated.close();
	});

	it('ends the allocation with the connection, and says TLS in the log (threat_D12)', async () => {
		const made = await client(cluster, 'leaver');
		await made.allocate();
		await made.close();
		const said = async () => (await cluster.ifreplay('agent', 'leaver')).out;
		await until('the end in the log', async () => /client gone/.test(await said()));
		const transports = (await cluster.log('turn_allocation_created')).map(({ fields }) => fields.client_transport);
		assert.ok(transports.includes(2), String(transports)); // protocol/event.h: CLIENT_TLS
	});
});

// Stands between a DTLS client and the server, and keeps every datagram: { port, up, down, close }. loses: those of the
// client that do not arrive.
function tap(server, loses = () => false) {
	return new Promise((resolve) => {
		const outside = dgram.createSocket('udp4').unref();
		const inside = dgram.createSocket('udp4').unref();
		const kept = { up: [], down: [], close: () => [inside, outside].forEach((socket) => socket.close()) };
		let client;
		outside.on('message', (bytes, from) => {
			client = from;
			kept.up.push(bytes);
			if (!loses(bytes)) inside.send(bytes, server, '127.0.0.1');
		});
		inside.on('message', (bytes) => {
			kept.down.push(bytes);
			outside.send(bytes, client.port, client.address);
		});
		outside.bind(0, '127.0.0.1', () => resolve(Object.assign(kept, { port: outside.address().port })));
	});
}

describe('TURN over DTLS', { concurrency: 2 }, () => {
	let cluster;
	let peer;
	before(async () => {
		const chain = path.join(directory, 'long.pem');
		fs.writeFileSync(chain, [second.cert, ca.ca, ca.ca, ca.ca].map((file) => fs.readFileSync(file)).join(''));
		cluster = await start('dtls', {
			cert: chain, pkey: second.key, 'no-tls': 'yes', 'allowed-peer-ip': ['127.0.0.1', '::1'], 'legacy-channels': 'yes',
		}, { relayed: 3000 });
		peer = await echoTool('127.0.0.1', cluster.ports.turn + 2);
	});
	after(async () => {
		peer?.stop();
		await cluster?.close();
	});
	const over = () => uclient(cluster, { port: cluster.ports.turns, peer, flags: ['-S'] });

	it('is DTLS in the log, and no TLS', async () => {
		assertNothingLost(await over());
		const transports = (await cluster.log('turn_allocation_created')).map(({ fields }) => fields.client_transport);
		assert.ok(transports.length > 0 && transports.every((each) => each === 3), String(transports)); // CLIENT_DTLS
		assert.equal((await cluster.credential('told')).urls.filter((url) => url.startsWith('turns:')).length, 0);
		await assert.rejects(new Promise((resolve, reject) => {
			net.connect(cluster.ports.turns, '127.0.0.1').once('error', reject).once('connect', resolve);
		}), /ECONNREFUSED/);
	});

	it('takes DTLS 1.2 and nothing older, and chooses stun.turn (threat_G1)', async () => {
		const { out } = await handshake(cluster.ports.turns, '-dtls1_2', '-alpn', 'h2,stun.turn', '-verify_return_error');
		assert.match(out, /Verification: OK/, out);
		assert.match(out, /ALPN protocol: stun\.turn/);
		const old = await handshake(cluster.ports.turns, '-dtls1', '-cipher', 'ALL:@SECLEVEL=0');
		assert.notEqual(old.code, 0, old.text);
		assert.match((await handshake(cluster.ports.turns, '-dtls1_2', '-alpn', 'h2')).text, /alert no application protocol/);
	});

	it('asks for a cookie first, in fewer bytes than it was asked, and cuts its handshake for any path (threat_D4)', async () => {
		const between = await tap(cluster.ports.turns);
		const { out } = await handshake(between.port, '-dtls1_2', '-verify_return_error');
		between.close();
		assert.match(out, /Verification: OK/, out);
		assert.equal(between.down[0][13], 3); // HelloVerifyRequest
		assert.ok(between.down[0].length < between.up[0].length);
		assert.ok(between.down.length > 2);
		assert.ok(between.down.every((bytes) => bytes.length <= 1200), String(between.down.map((bytes) => bytes.length)));
	});

	it('keeps nothing of strangers without a cookie, and drops what is no ClientHello (threat_D4)', async () => {
		const between = await tap(cluster.ports.turns);
		await handshake(between.port, '-dtls1_2');
		between.close();
		const [hello, withCookie] = between.up;
		let sources = 0; // one alone would be answered less often (E3)
		const answers = async (bytes) => {
			const socket = dgram.createSocket('udp4').unref();
			const heard = [];
			socket.on('message', (answer) => heard.push(answer));
			await new Promise((resolve) => socket.bind(0, `127.0.2.${1 + sources++ % 100}`, resolve));
			for (const each of bytes) await new Promise((resolve) => socket.send(each, cluster.ports.turns, '127.0.0.1', resolve));
			return { socket, heard };
		};
		const others = [0x14, 0x15, 0x17, 0x18, 0].map((type) => Buffer.concat([Buffer.from([type]), hello.subarray(1)]));
		const dropped = await answers([...others, hello.subarray(0, 20), hello.subarray(0, 60), Buffer.alloc(1400, 0x16), between.up.at(-1)]);
		const foreign = await answers([withCookie]); // of another port: it gets a cookie of its own

		const strangers = await Promise.all(Array.from({ length: 300 }, () => answers([hello])));
		await until('the cookies', () => [foreign, ...strangers].every(({ heard }) => heard.length === 1));
		assert.ok([foreign, ...strangers].every(({ heard }) => heard[0][13] === 3));
		assert.equal(dropped.heard.length, 0);
		for (const { socket } of [dropped, foreign, ...strangers]) socket.close();
		// One address may have 64 without an allocation: none of these counts.
		assertNothingLost(await over());
		assert.doesNotMatch(cluster.err, /turned away/);
	});

	it('gives one source so many cookies a second, and then none (threat_E3)', async () => {
		const between = await tap(cluster.ports.turns);
		await handshake(between.port, '-dtls1_2');
		between.close();
		const socket = dgram.createSocket('udp4').unref();
		let heard = 0;
		socket.on('message', () => { heard++; });
		await new Promise((resolve) => socket.bind(0, '127.0.2.200', resolve));
		const began = Date.now();
		for (let n = 0; n < 2000; n++) await new Promise((resolve) => socket.send(between.up[0], cluster.ports.turns, '127.0.0.1', resolve));
		assertNothingLost(await over()); // others are served behind it
		const seconds = Math.ceil((Date.now() - began) / 1000) + 1;
		assert.ok(heard > 0 && heard <= 200 * seconds && heard < 2000, `${heard} cookies in ${seconds} s`);
		socket.close();
	});

	it('ends a session that asks for nothing (threat_D13)', async () => {
		const flags = ['-connect', `127.0.0.1:${cluster.ports.turns}`, '-dtls1_2', '-CAfile', ca.ca];
		const began = Date.now();
		const { signal, out } = await run('openssl', ['s_client', ...flags], { typing: true });
		assert.equal(signal, null, 'the server said nothing of an end');
		assert.match(out, /Verification: OK/);
		assert.ok(Date.now() - began > 20_000);
	});

	it('hears a client that has begun anew from the same address, without a word of the end', async () => {
		const between = await tap(cluster.ports.turns, (bytes) => bytes[0] === 0x15); // an alert
		for (let n = 0; n < 3; n++) {
			assert.match((await handshake(between.port, '-dtls1_2', '-verify_return_error')).out, /Verification: OK/);
		}
		between.close();
	});
});

describe('another certificate for TURN over TLS', () => {
	let cluster;
	const cert = path.join(directory, 'chain.pem');
	const key = path.join(directory, 'chain.key');
	const put = (from, to) => fs.copyFileSync(from, to);
	const shown = async (...flags) => /subject=CN = (\w+)/.exec((await handshake(cluster.ports.turns, ...flags)).out)?.[1];
	before(async () => {
		put(first.cert, cert);
		put(first.key, key);
		cluster = await start('renewed', { cert, pkey: key, 'allowed-peer-ip': ['127.0.0.1', '::1'] });
	});
	after(() => cluster?.close());

	it('is taken by a reload while old sessions go on (threat_G1)', async () => {
		const made = await client(cluster, 'renewed');
		const echo = await echoPeer();
		let heard = 0;
		made.on('data', () => { heard++; });
		await made.allocate();
		await made.bindChannel(0x4000, echo);
		assert.equal(await shown(), 'first');
		const traffic = setInterval(() => made.sendChannel(0x4000, Buffer.from('on')), 5);

		put(second.cert, cert);
		const half = await cluster.ifswarm('reload');
		assert.equal(half.code, 1, half.text);
		assert.match(half.text, /chain\.key: is not the key of the first certificate/);
		assert.equal(await shown(), 'first');

		put(second.key, key);
		const whole = await cluster.ifswarm('reload');
		assert.equal(whole.code, 0, whole.text);
		assert.match(whole.text, /cert: taken over/);
		assert.equal(await shown(), 'second');
		assert.equal(await shown('-dtls1_2'), 'second');
		const before = heard;
		await until('more echoes', () => heard > before + 50);
		clearInterval(traffic);
		assert.equal(await made.refresh(600), 600);
		await Promise.all([made.close(), echo.close()]);
	});

	it('is shown by a relay that is restarted', async () => {
		const relay = (await cluster.status()).actors.find((each) => each.name === 'relay-1');
		process.kill(relay.pid, 'SIGKILL');
		await until('the certificate', async () => await shown() === 'second');
	});
});

describe('ifswarm config check of a certificate', () => {
	const check = async (lines) => {
		const cluster = await prepare('check');
		const file = path.join(path.dirname(cluster.data), 'ifswarm.conf');
		fs.writeFileSync(file, `realm = check\n${lines.join('\n')}\n`);
		const { code, text } = await cluster.ifswarm('config', 'check', '--config', file);
		fs.rmSync(path.dirname(cluster.data), { recursive: true, force: true });
		return { code, text };
	};
	const lines = ({ cert, key }, ...more) => [`cert = ${cert}`, `pkey = ${key}`, ...more];

	it('says that one is right', async () => {
		const { code, text } = await check(lines(second));
		assert.equal(code, 0, text);
	});

	it('names what is wrong with file and line', async () => {
		const expired = await ca.issue('expired', { days: 0 });
		const named = await ca.issue('named', { hosts: 'DNS:turn.example.org' });
		const junk = path.join(directory, 'junk.pem');
		const locked = path.join(directory, 'locked.key');
		fs.writeFileSync(junk, 'no certificate');
		await run('openssl', ['pkey', '-in', second.key, '-aes256', '-passout', 'pass:x', '-out', locked]);
		await sleep(1100); // of a second's validity
		const rows = [
			[lines({ cert: '/nowhere.pem', key: second.key }), /\.conf:2: \/nowhere\.pem: no such file/],
			[lines({ cert: second.cert, key: '/nowhere.key' }), /\.conf:2: \/nowhere\.key: no such file/],
			[lines({ cert: directory, key: second.key }), /\.conf:2: .*cannot be read/],
			[lines({ cert: junk, key: second.key }), /\.conf:2: .*junk\.pem: holds no certificate/],
			[lines({ cert: second.cert, key: junk }), /\.conf:2: .*junk\.pem: holds no private key/],
			[lines({ cert: second.cert, key: locked }), /\.conf:2: .*locked\.key: holds no private key \(PEM\), or one with a pass phrase/],
			[lines({ cert: second.cert, key: named.key }), /\.conf:2: .*named\.key: is not the key of/],
			[lines(expired), /\.conf:2: .*expired\.pem has expired on/],
			[lines(named), /\.conf:2: .*named\.pem does not name 127\.0\.0\.1.*set turns-host/],
			[lines(named, 'turns-host = other.example.org'), /\.conf:4: turns-host other\.example\.org is none of the names/],
		];
		for (const [given, wanted] of rows) {
			const { code, text } = await check(given);
			assert.equal(code, 1, text);
			assert.match(text, wanted);
		}
		const right = await check(lines(named, 'turns-host = turn.example.org'));
		assert.equal(right.code, 0, right.text);
	});
});
