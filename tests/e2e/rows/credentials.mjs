// Bad input by who asks: group C of THREATS.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { ATTRIBUTE, CLASS, METHOD, encode, sign, u32 } from '../lib/turn.mjs';
import { ALL, TRANSPORT_UDP, USER, credentialOf } from '../lib/ways.mjs';

// An Allocate whose attributes and integrity are given: its reply.
async function asked(client, { name, key = client.key, extra = [], realm = client.realm, nonce = client.nonce, hash = 'sha1', spoil, also }) {
	const bare = encode(METHOD.allocate, CLASS.request, randomBytes(12), [TRANSPORT_UDP,
		name ?? [ATTRIBUTE.username, Buffer.from(client.username)], [ATTRIBUTE.realm, Buffer.from(realm)], [ATTRIBUTE.nonce, nonce], ...extra]);
	const first = sign(bare, key, hash, spoil);
	return client.transact(also ? also(first) : first);
}

// A request so long that the nonce may offer algorithms: 401, its attributes, and what the client knows from there on.
async function challenge(client, size = 200) {
	const reply = await client.transact(encode(METHOD.allocate, CLASS.request, randomBytes(12), [TRANSPORT_UDP, [0x8fff, Buffer.alloc(size)]]));
	assert.equal(reply.code, 401);
	client.realm = reply.get(ATTRIBUTE.realm).toString();
	client.nonce = Buffer.from(reply.get(ATTRIBUTE.nonce));
	return reply;
}

const counted = (way, code, reply, what) => {
	assert.equal(reply.code, code, what);
	way.server.expect(`refused_total ${code}`, 1);
};

async function bareRow(way) {
	const client = await way.client();
	for (const method of [METHOD.allocate, METHOD.refresh, METHOD.createPermission, METHOD.channelBind, METHOD.connect, METHOD.connectionBind]) {
		const reply = await way.asStranger(client, method, [TRANSPORT_UDP, [0x8fff, Buffer.alloc(200)]]);
		assert.equal(reply.code, 401);
		for (const wanted of [ATTRIBUTE.realm, ATTRIBUTE.nonce, ATTRIBUTE.passwordAlgorithms]) assert.ok(reply.get(wanted), String(wanted));
		assert.equal(reply.get(ATTRIBUTE.messageIntegrity), undefined);
	}
	assert.ok((await way.server.allocations()).every(({ agent }) => agent !== client.username));
	await client.close();
}

async function nonceRow(way) {
	const client = await way.client();
	const other = await way.client();
	const elsewhere = await way.client({ local: way.local.replace('127.0.1.', '127.0.8.') });
	for (const each of [client, other, elsewhere]) await challenge(each);
	const old = client.nonce;
	for (const nonce of [Buffer.from('invented'), Buffer.alloc(29, 'a'), other.nonce, elsewhere.nonce, Buffer.from(old).fill(old[12] ^ 1, 12, 13)]) {
		const reply = await asked(client, { nonce });
		assert.equal(reply.code, 438);
		assert.ok(reply.get(ATTRIBUTE.nonce) && reply.get(ATTRIBUTE.realm));
		assert.notDeepEqual(reply.get(ATTRIBUTE.nonce), nonce);
		client.nonce = Buffer.from(reply.get(ATTRIBUTE.nonce));
	}
	await client.allocate(); // with the one it was given last
	await client.refresh(0);
	await Promise.all([client, other, elsewhere].map((each) => each.close()));
}

async function passwordRow(way) {
	const client = await way.client();
	await challenge(client);
	const wrong = createHash('md5').update('wrong').digest();
	const body = async (what) => {
		const reply = await asked(client, what);
		counted(way, 401, reply, what);
		return reply.attributes.filter(({ type }) => type !== ATTRIBUTE.nonce).map(({ type, value }) => `${type}:${value.toString('hex')}`).join();
	};
	const one = await body({ key: wrong });
	const unknown = [ATTRIBUTE.username, Buffer.from(credentialOf('nobody').username)];
	assert.equal(await body({ name: unknown, key: wrong }), one);
	assert.equal(await body({ name: [ATTRIBUTE.username, Buffer.from(USER.username)], key: wrong }), one);
	await client.close();
}

async function integrityRow(way) {
	const client = await way.client();
	await challenge(client);
	const keyOf = (realm) => createHash('md5').update(`${client.username}:${realm}:${client.password}`).digest();
	counted(way, 401, await asked(client, { realm: 'another', key: keyOf('another') }), 'of another realm');
	for (const size of [4, 8, 16]) {
		counted(way, 400, await asked(client, { spoil: (mac) => mac.subarray(0, size) }), `SHA-1 of ${size}`);
		counted(way, 400, await asked(client, { hash: 'sha256', spoil: (mac) => mac.subarray(0, size) }), `SHA-256 of ${size}`);
	}
	await client.close();
}

const algorithm = (number) => Buffer.from([0, number, 0, 0]);
const offered = Buffer.concat([algorithm(2), algorithm(1)]);
const list = [ATTRIBUTE.passwordAlgorithms, offered];
const chosen = (number) => [ATTRIBUTE.passwordAlgorithm, algorithm(number)];
const sha256Key = (client) => createHash('sha256').update(`${client.username}:${client.realm}:${client.password}`).digest();

async function algorithmRow(way) {
	const client = await way.client();
	assert.deepEqual((await challenge(client)).get(ATTRIBUTE.passwordAlgorithms), offered);
	const changed = [ATTRIBUTE.passwordAlgorithms, algorithm(1)];
	for (const [what, extra] of [['the list alone', [list]], ['one alone', [chosen(1)]], ['a shorter list', [changed, chosen(1)]],
		['the list turned round', [[ATTRIBUTE.passwordAlgorithms, Buffer.concat([algorithm(1), algorithm(2)])], chosen(1)]],
		['an algorithm of nobody', [list, chosen(3)]]]) {
		counted(way, 400, await asked(client, { extra }), what);
	}
	const wide = await asked(client, { extra: [list, chosen(2)], key: sha256Key(client), hash: 'sha256' });
	assert.equal(wide.class, CLASS.success);
	assert.ok(wide.get(ATTRIBUTE.messageIntegritySha256));
	assert.equal(wide.get(ATTRIBUTE.messageIntegrity), undefined);
	await client.refresh(0);
	// Neither of them: MD5, and the integrity that it chose.
	const plain = await asked(client, {});
	assert.equal(plain.class, CLASS.success);
	assert.equal(plain.get(ATTRIBUTE.messageIntegritySha256), undefined);
	await client.refresh(0);
	await client.close();
}

async function hashRow(way) {
	const client = await way.client(USER);
	await challenge(client);
	const hashOf = (name) => [ATTRIBUTE.userhash, createHash('sha256').update(`${name}:${client.realm}`).digest()];
	const unknown = await asked(client, { name: hashOf('nobody') });
	counted(way, 401, unknown, 'a hash of nobody');
	const reply = await asked(client, { name: hashOf(USER.username) });
	assert.equal(reply.class, CLASS.success);
	await client.refresh(0);
	await client.close();
}

// SHA-256 decides, whatever the other says.
async function bothRow(way) {
	const client = await way.client();
	await challenge(client);
	const flip = (mac) => {
		mac[0] ^= 1;
		return mac;
	};
	const second = (spoil) => (packet) => sign(packet, client.key, 'sha256', spoil);
	counted(way, 401, await asked(client, { also: second(flip) }), 'SHA-256 is wrong');
	const reply = await asked(client, { spoil: flip, also: second() });
	assert.equal(reply.class, CLASS.success);
	await client.refresh(0);
	await client.close();
}

async function anothersRow(way) {
	const client = await way.allocated();
	const own = { username: client.username, password: client.password };
	Object.assign(client, credentialOf('somebody-else'));
	await way.refused(441, client.refresh(600), 'Refresh');
	await way.refused(441, client.permit({ address: way.server.peer }), 'CreatePermission');
	await way.refused(441, client.bindChannel(0x4000, { address: way.server.peer, port: 9 }), 'ChannelBind');
	Object.assign(client, own);
	assert.equal(await client.refresh(600), 600);
	await client.refresh(0);
	await client.close();
}

async function expiryRow(way) {
	const now = Math.floor(Date.now() / 1000);
	const good = credentialOf('timed').password;
	const names = [`${now - 10}:timed`, 'timed', ':', ':timed', '-1:timed', `${'9'.repeat(20)}:timed`, `${now + 10 * 366 * 86_400}:timed`,
		`${now + 600}:`, `+${now + 600}:timed`, `${now + 600}`, `${now + 600}:a:b:c`, `0x${(now + 600).toString(16)}:timed`, ':::::'];
	for (const username of names) {
		const client = await way.client({ username, password: good });
		await way.refused(401, client.allocate(), username);
		await client.close();
	}
	// Signed by the secret, but for a time that is none. Separators of a name's own are escaped.
	for (const expires of [now - 10, now + 10 * 366 * 86_400]) {
		const client = await way.client(credentialOf('timed', expires));
		await way.refused(401, client.allocate(), String(expires));
		await client.close();
	}
	const raw = await way.client(credentialOf('a:b:c', now + 600));
	await way.refused(401, raw.allocate(), 'many separators');
	await raw.close();
	const many = await way.client(credentialOf('a%3Ab%3Ac', now + 600));
	await many.allocate();
	await many.refresh(0);
	await many.close();
}

// From one source, over the limit of what strangers are told: silence, one event in a window, and others are served.
async function floodRow(way) {
	const local = way.local.replace('127.0.1.', '127.0.7.');
	const flood = await way.client({ local });
	const held = await way.allocated();
	await challenge(flood);
	let heard = 0;
	flood.on('heard', () => { heard++; });
	const packets = Array.from({ length: 2000 }, () => sign(encode(METHOD.allocate, CLASS.request, randomBytes(12), [TRANSPORT_UDP,
		[ATTRIBUTE.username, Buffer.from(flood.username)], [ATTRIBUTE.realm, Buffer.from(flood.realm)], [ATTRIBUTE.nonce, flood.nonce]]), Buffer.alloc(16)));
	const from = Date.now();
	for (const packet of packets) await flood.raw(packet);
	assert.equal(await held.refresh(600), 600);
	await held.binding();
	const seconds = Math.ceil((Date.now() - from) / 1000) + 1;
	assert.ok(heard <= 200 * seconds, `${heard} answers in ${seconds} s`);
	await held.refresh(0);
	await Promise.all([flood.close(), held.close()]);
}

async function unauthenticatedRow(way) {
	const client = await way.allocated();
	const words = [[0x802f, Buffer.from('https://other.example')], [ATTRIBUTE.realm, Buffer.from('another')]];
	for (const method of [METHOD.refresh, METHOD.allocate, METHOD.createPermission]) {
		assert.equal((await way.asStranger(client, method, [...words, [ATTRIBUTE.lifetime, u32(0)]])).code, 401);
	}
	assert.equal(await client.refresh(600), 600);
	assert.equal(client.realm, 'ifswarm');
	await client.refresh(0);
	await client.close();
}

export const rows = [
	{ row: 'C1', what: 'requests without integrity', over: ALL, run: bareRow },
	{ row: 'C3', what: 'nonces invented, and of another address and port', over: ALL, run: nonceRow },
	{ row: 'C5', what: 'an unknown user and a wrong password', over: ALL, run: passwordRow },
	{ row: 'C6', what: 'integrity of another realm, and cut', over: ALL, run: integrityRow },
	{ row: 'C7', what: 'password algorithms bid down', over: ALL, run: algorithmRow },
	{ row: 'C8', what: 'USERHASH', over: ALL, run: hashRow },
	{ row: 'C9', what: 'two integrities, one of them wrong', over: ALL, run: bothRow },
	{ row: 'C10', what: 'the allocation of another user', over: ALL, run: anothersRow },
	{ row: 'C11', what: 'time-limited names that are none', over: ALL, run: expiryRow },
	{ row: 'C14', what: 'wrong passwords from one source', over: ALL, run: floodRow },
	{ row: 'C16', what: 'an unauthenticated word from a client that holds something', over: ALL, run: unauthenticatedRow },
];
