// What comes before a message of TLS and DTLS: handshakes, connections that ask for nothing (D4, D13, G1).
import assert from 'node:assert/strict';
import net from 'node:net';
import { run } from '../lib/cluster.mjs';
import { encode, CLASS, METHOD } from '../lib/turn.mjs';
import { STREAMS } from '../lib/ways.mjs';
import { randomBytes } from 'node:crypto';

const handshake = (way, ...flags) =>
	run('openssl', ['s_client', '-connect', `${way.server.address}:${way.port}`, ...flags]);

async function versionsRow(way) {
	const [served, ...old] = way.transport === 'dtls' ? [['-dtls1_2'], '-dtls1'] : [['-tls1_2', '-tls1_3'], '-tls1', '-tls1_1'];
	for (const version of served) {
		const { code, text } = await handshake(way, version, '-alpn', 'h2,stun.turn');
		assert.equal(code, 0, text);
		assert.match(text, /ALPN protocol: stun\.turn/);
		assert.match((await handshake(way, version)).text, /No ALPN negotiated/);
		assert.match((await handshake(way, version, '-alpn', 'h2')).text, /alert no application protocol/);
	}
	for (const version of old) {
		const { code, text } = await handshake(way, version, '-cipher', 'ALL:@SECLEVEL=0');
		assert.notEqual(code, 0, text);
	}
	const client = await way.client();
	assert.ok((await client.binding()).port > 0);
	await client.close();
}

// A connection of that source; resolves once it is over.
function stranger(way, local, bytes = Buffer.alloc(0)) {
	const socket = net.connect({ host: way.server.address, port: way.port, localAddress: local }, () => socket.write(bytes));
	socket.unref();
	socket.on('error', () => {});
	const opened = new Promise((resolve) => socket.once('connect', resolve));
	const over = new Promise((resolve) => socket.once('close', resolve));
	return { socket, opened, over };
}

// Of one source 64 connections without an allocation stay; a stalled one ends by the deadline, however slowly it goes on.
async function idleRow(way) {
	const hello = Buffer.from('16030100c8010000c40303', 'hex');
	const slow = encode(METHOD.binding, CLASS.request, randomBytes(12), [[0x8fff, Buffer.alloc(200)]]);
	const held = await way.allocated();
	const local = way.local.replace('127.0.1.', '127.0.9.');
	const begun = way.transport === 'tls' ? hello : slow;
	const all = Array.from({ length: 70 }, () => stranger(way, local, begun.subarray(0, 3)));
	let over = 0;
	for (const each of all) each.over.then(() => { over++; });
	await Promise.all(all.map((each) => Promise.race([each.over, each.opened])));
	await Promise.race(all.map((each) => each.over));
	assert.ok(over <= 6, `${over} of 70 were closed at once`);
	let at = 3;
	const byByte = setInterval(() => {
		for (const each of all) each.socket.write(begun.subarray(at, at + 1));
		at++;
	}, 1000);
	await Promise.all(all.map((each) => each.over));
	clearInterval(byByte);
	assert.equal(await held.refresh(600), 600);
	await held.refresh(0);
	await held.close();
}

export const rows = [
	{ row: 'G1', what: 'old versions and foreign protocols', over: ['tls', 'dtls'], run: versionsRow },
	// Of DTLS: e2e/turns, and dtls_io_test for the bound of one address.
	{ row: 'D13', what: 'connections that ask for nothing, slowly', over: STREAMS, run: idleRow },
];
