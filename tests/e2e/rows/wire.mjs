// Bad input by its bytes: groups A, D3, E, F11 to F13 and G of THREATS, over every transport to which they apply.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { ATTRIBUTE, CLASS, METHOD, echoPeer, encode, encodeAddress, u32 } from '../lib/turn.mjs';
import { until } from '../lib/cluster.mjs';
import { ALL, DATAGRAMS, STREAMS, TRANSPORT_UDP, sendTo } from '../lib/ways.mjs';
import { rows as secured } from './secured.mjs';

const binding = (attributes = [], kind = CLASS.request) => encode(METHOD.binding, kind, randomBytes(12), attributes);

function edited(change, packet = binding()) {
	const copy = Buffer.from(packet);
	change(copy);
	return copy;
}

function channelData(number, payload, length = payload.length) {
	const header = Buffer.alloc(4);
	header.writeUInt16BE(number, 0);
	header.writeUInt16BE(length, 2);
	return Buffer.concat([header, Buffer.from(payload)]);
}

const bytes = (count) => Buffer.alloc(count, 'x');
const peerAddress = (way) => ({ address: way.server.peer, port: 9 });

// A value in place of a well-formed XOR-PEER-ADDRESS.
const peerOf = (value) => [ATTRIBUTE.xorPeerAddress, value];

// What no relay may answer 200 to, and what it has to answer instead.
async function malformed(way, client, rows) {
	for (const [code, method, ...attributes] of rows) {
		const what = attributes.map(([type, value]) => `${type.toString(16)} of ${value.length} bytes`).join(', ');
		await way.refused(code, way.ask(client, method, attributes), what);
	}
}

async function nameRow(way) {
	const client = await way.client();
	await client.allocate(); // so that realm and nonce are known
	const wanted = (username, overrides = {}) => {
		const transaction = randomBytes(12);
		const attributes = [[ATTRIBUTE.lifetime, u32(600)], [ATTRIBUTE.username, username],
			[ATTRIBUTE.realm, overrides.realm ?? Buffer.from(client.realm)], [ATTRIBUTE.nonce, overrides.nonce ?? client.nonce]];
		return client.transact(encode(METHOD.refresh, CLASS.request, transaction, attributes, bytes(16)));
	};
	const expires = Math.floor(Date.now() / 1000) + 600;
	const strange = ['a\0b', 'a\r\nb: c', '%n%s%n', '\x1b[2J\x1b]0;x\x07', "'; DROP TABLE entries; --"];
	const rows = [
		[400, Buffer.alloc(0)], [401, bytes(508)], [400, bytes(513)], [400, bytes(514)],
		...strange.map((name) => [401, Buffer.from(`${expires}:${name}`)]),
		[401, Buffer.from([0xff, 0xfe, 0x80])], [401, Buffer.from([0xc0, 0x80])],
		[401, bytes(8), { realm: bytes(763) }], [400, bytes(8), { realm: bytes(764) }],
		[438, bytes(8), { nonce: bytes(763) }], [400, bytes(8), { nonce: bytes(764) }],
	];
	// A record of DTLS holds 16 kB; over UDP and streams the name is as long as a message can be.
	if (way.transport !== 'dtls') rows.push([400, bytes(65_000)]);
	for (const [code, name, overrides] of rows) {
		assert.equal((await wanted(name, overrides)).code, code, `${name.length} bytes: ${name.subarray(0, 40)}`);
	}
	assert.equal(await client.refresh(600), 600);
	const said = (await way.cluster.log('turn_request_refused')).map(({ fields }) => JSON.stringify(fields)).join('\n');
	for (const raw of ['\0', '\r', '\x1b', '\x07']) assert.ok(!said.includes(raw));
	const page = await (await fetch(`http://${way.server.address}:${way.cluster.ports.ws}/metrics`)).text();
	assert.doesNotMatch(page, /DROP TABLE|%n%s/);
	await client.refresh(0);
	await client.close();
}

async function attributesRow(way) {
	const client = await way.client();
	const many = await way.asStranger(client, METHOD.binding, Array.from({ length: 1000 }, () => [0x8fff, Buffer.alloc(0)]));
	assert.equal(many.class, CLASS.success);
	const unknown = await way.asStranger(client, METHOD.binding, Array.from({ length: 500 }, (_, n) => [0x7000 + n, Buffer.alloc(0)]));
	assert.equal(unknown.code, 420);
	const listed = unknown.get(ATTRIBUTE.unknownAttributes);
	assert.ok(listed.length >= 2 && listed.length <= 64 && listed.length % 2 === 0);
	assert.equal(listed.readUInt16BE(0), 0x7000);
	await client.close();
}

// Attributes of which the next one begins at every offset within a word.
async function misalignedRow(way) {
	const client = await way.client();
	for (let size = 0; size < 10; size++) {
		const reply = await way.asStranger(client, METHOD.binding, [[0x8fff, bytes(size)], [0x8ffe, bytes(9 - size)], [0x8ffd, bytes(1)]]);
		assert.equal(reply.class, CLASS.success);
		await way.refused(420, way.ask(client, METHOD.allocate, [[0x8fff, bytes(size)], TRANSPORT_UDP, [0x7fff, bytes(size)]]));
	}
	await client.close();
}

async function paddingRow(way) {
	const client = await way.allocated();
	const replies = [await way.asStranger(client, METHOD.binding, [[0x7001, bytes(3)]])];
	for (const method of [METHOD.createPermission, METHOD.channelBind]) {
		await way.refused(400, way.ask(client, method, []).catch((error) => {
			replies.push(error.reply);
			throw error;
		}));
	}
	for (const { packet, attributes } of replies) {
		for (const { at, value } of attributes) {
			const end = at + 4 + value.length;
			assert.ok(packet.subarray(end, end + (4 - (value.length % 4)) % 4).every((byte) => byte === 0), packet.toString('hex'));
		}
	}
	assert.equal(replies.at(-1).get(ATTRIBUTE.errorCode).subarray(4).toString(), 'Bad Request');
	await client.refresh(0);
	await client.close();
}

async function channelRow(way) {
	const client = await way.allocated();
	const peer = await echoPeer(way.server.peer);
	let back = 0;
	client.on('data', () => { back++; });
	await client.bindChannel(0x4000, peer);
	// 0x3FFF has the first bits of STUN, 0x8000 and above those of nothing. The rest may be a channel, of RFC 5766 at
	// least, and is not bound here.
	await way.noMessage(...[[0x3fff], [0x8000], [0xffff]].map(([number]) => channelData(number, bytes(20))));
	await way.silent(client, [0x4001, 0x5000, 0x7fff].map((number) => channelData(number, bytes(20))), 'no_route');
	await client.sendChannel(0x4000, bytes(20));
	await until('the echo', () => back === 1);
	assert.equal(peer.received, 1);
	await client.refresh(0);
	await Promise.all([client.close(), peer.close()]);
}

// Longer than its datagram: dropped. Shorter: what lies behind is padding.
async function channelLengthRow(way) {
	const client = await way.allocated();
	const peer = await echoPeer(way.server.peer);
	const back = [];
	client.on('data', (payload) => back.push(payload.toString()));
	await client.bindChannel(0x4000, peer);
	await way.silent(client, [channelData(0x4000, bytes(20), 21), channelData(0x4000, bytes(20), 0xffff)]);
	await client.raw(channelData(0x4000, 'used, unused', 4));
	await until('the echo', () => back.length === 1);
	assert.deepEqual(back, ['used']);
	await client.refresh(0);
	await Promise.all([client.close(), peer.close()]);
}

async function unknownMethodRow(way) {
	const client = await way.client();
	await way.silent(client, [0x002, 0x005, 0x00d, 0x0ff, 0xfff].map((method) => encode(method, CLASS.request, randomBytes(12), [])));
	await way.silent(client, [encode(0x0ff, CLASS.indication, randomBytes(12), [])]);
	await client.close();
}

// Nothing that an answer could be: two servers never talk to one another.
async function answersRow(way) {
	const client = await way.client();
	const kinds = [CLASS.error, CLASS.success];
	const methods = [METHOD.binding, METHOD.allocate, METHOD.createPermission, 0x0ff];
	await way.silent(client, kinds.flatMap((kind) => methods.map((method) => encode(method, kind, randomBytes(12), []))));
	await client.close();
}

async function fingerprintRow(way) {
	const client = await way.client();
	await way.silent(client, [
		binding([[ATTRIBUTE.fingerprint, Buffer.alloc(4)]]), binding([[ATTRIBUTE.fingerprint, bytes(3)]]),
		binding([[ATTRIBUTE.fingerprint, bytes(4)], [0x8fff, Buffer.alloc(0)]]),
	]);
	await client.close();
}

// Of one request: the first peer counts.
async function twoPeersRow(way) {
	const client = await way.allocated();
	const first = await echoPeer(way.server.peer);
	const second = await echoPeer('127.0.3.2');
	let back = 0;
	client.on('data', () => { back++; });
	await client.request('ChannelBind', METHOD.channelBind, (transaction) => [[ATTRIBUTE.channelNumber, u32(0x4000 * 65536)],
		...[first, second].map((peer) => peerOf(encodeAddress(peer, transaction)))]);
	await client.permit(second);
	await client.sendChannel(0x4000, bytes(8));
	const transaction = randomBytes(12);
	await client.send(encode(METHOD.send, CLASS.indication, transaction, [
		...[first, second].map((peer) => peerOf(encodeAddress(peer, transaction))), [ATTRIBUTE.data, bytes(8)]]));
	await until('two echoes', () => back === 2);
	assert.equal(first.received, 2);
	assert.equal(second.received, 0);
	await client.refresh(0);
	await Promise.all([client.close(), first.close(), second.close()]);
}

async function strangersRow(way) {
	const client = await way.client();
	if (way.isStream) await way.ends(channelData(0x4000, bytes(20))); // no stream begins so
	await client.binding();
	await way.silent(client, [channelData(0x4000, bytes(20)), sendTo(peerAddress(way), 'x')], 'no_route');
	await way.silent(client, [encode(METHOD.data, CLASS.indication, randomBytes(12), [[ATTRIBUTE.data, bytes(4)]]),
		binding([], CLASS.indication)]);
	await way.refused(437, client.refresh(600), 'a Refresh without a ticket');
	await way.refused(437, client.permit(peerAddress(way)), 'CreatePermission');
	await way.refused(437, client.bindChannel(0x4000, peerAddress(way)), 'ChannelBind');
	// A connection that nobody has; over datagrams there are none.
	await way.refused(400, way.ask(client, METHOD.connectionBind, [[ATTRIBUTE.connectionId, bytes(4)]]), 'ConnectionBind');
	await client.close();
}

async function unauthenticatedRow(way) {
	const client = await way.client();
	const asked = encode(METHOD.allocate, CLASS.request, randomBytes(12), []);
	const { code, packet, get } = await client.transact(asked);
	assert.equal(code, 401);
	assert.ok(packet.length <= 3.6 * asked.length, `${packet.length} bytes for ${asked.length}`);
	assert.equal(get(ATTRIBUTE.software), undefined);
	assert.equal(get(ATTRIBUTE.errorCode).length, 4, 'a reason');
	await client.close();
}

async function bindingRow(way) {
	const client = await way.client();
	const reply = await client.transact(binding());
	assert.deepEqual(reply.attributes.map(({ type }) => type), [ATTRIBUTE.xorMappedAddress]);
	assert.ok(reply.packet.length >= 32 && reply.packet.length <= 44);
	await client.close();
}

async function discoveryRow(way) {
	const client = await way.client();
	for (const [type, size] of [[ATTRIBUTE.changeRequest, 4], [ATTRIBUTE.responsePort, 4], [ATTRIBUTE.padding, 200]]) {
		const reply = await way.asStranger(client, METHOD.binding, [[type, Buffer.alloc(size)]]);
		assert.equal(reply.code, 420);
		assert.equal(reply.get(ATTRIBUTE.unknownAttributes).readUInt16BE(0), type);
	}
	await client.close();
}

async function fragmentRow(way) {
	const client = await way.allocated({ extra: [[ATTRIBUTE.dontFragment, Buffer.alloc(0)]] });
	const peer = await echoPeer(way.server.peer);
	await client.permit(peer);
	const answer = new Promise((resolve) => client.once('data', resolve));
	await client.send(sendTo(peer, 'whole', [[ATTRIBUTE.dontFragment, Buffer.alloc(0)]]));
	assert.equal((await answer).toString(), 'whole');
	await client.refresh(0);
	await Promise.all([client.close(), peer.close()]);
}

async function unknownRow(way) {
	const client = await way.allocated();
	const peer = await echoPeer(way.server.peer);
	await client.permit(peer);
	await way.refused(420, way.ask(client, METHOD.refresh, [[0x7fff, bytes(5)]]).catch((error) => {
		assert.deepEqual([...error.reply.get(ATTRIBUTE.unknownAttributes)], [0x7f, 0xff]);
		throw error;
	}));
	await way.silent(client, [sendTo(peer, 'x', [[0x7fff, bytes(4)]])]);
	assert.equal((await way.ask(client, METHOD.refresh, [[0x8fff, bytes(5)], [ATTRIBUTE.lifetime, u32(600)]])).class, CLASS.success);
	const answer = new Promise((resolve) => client.once('data', resolve));
	await client.send(sendTo(peer, 'heard', [[0x8fff, bytes(5)]]));
	assert.equal((await answer).toString(), 'heard');
	assert.equal(peer.received, 1);
	await client.refresh(0);
	await Promise.all([client.close(), peer.close()]);
}

// Not padded, what follows is read at the wrong place; padded, several in one segment and one in many are all heard.
async function framingRow(way) {
	const client = await way.allocated();
	const peer = await echoPeer(way.server.peer);
	const back = [];
	client.on('data', (payload) => back.push(payload.toString()));
	await client.bindChannel(0x4000, peer);
	const padded = (text) => channelData(0x4000, text.padEnd(Math.ceil(text.length / 4) * 4, '\0'), text.length);
	await client.raw(Buffer.concat(['one', 'two_', 'three'].map(padded)));
	for (const byte of padded('sliced')) await client.raw(Buffer.from([byte]));
	await until('four echoes', () => back.length === 4);
	assert.deepEqual(back.sort(), ['one', 'sliced', 'three', 'two_']);
	await client.raw(Buffer.concat([channelData(0x4000, 'torn'.slice(0, 3)), Buffer.from([0x80, 0x80])]));
	await client.closed;
	await Promise.all([client.close(), peer.close()]);
}

const httpLines = ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', '\r\nGET / HTTP/1.1\r\n\r\n', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n'];

export const rows = [
	...secured, // they wait longest
	// Of datagrams alone: where a stream's message ends, only its length says.
	{ row: 'A1', what: 'datagrams of 1, 2, 3 and 19 bytes', over: DATAGRAMS, run: (way) => way.noMessage(...[1, 2, 3, 19].map((size) => binding().subarray(0, size))) },
	{ row: 'A2', what: 'a STUN length that is not the datagram\'s', over: DATAGRAMS, run: (way) =>
		way.noMessage(edited((copy) => copy.writeUInt16BE(4, 2)), edited((copy) => copy.writeUInt16BE(0, 2), binding([[0x8fff, bytes(4)]]))) },
	{ row: 'A3', what: 'a STUN length that is no multiple of 4', over: ALL, run: (way) =>
		way.noMessage(...[1, 2, 3, 21].map((length) => edited((copy) => copy.writeUInt16BE(length, 2)))) },
	{ row: 'A4', what: 'a STUN length near 65535', over: ALL, run: (way) =>
		way.noMessage(...[65_516, 65_520, 65_524, 65_528, 65_532, 65_535].map((length) => edited((copy) => copy.writeUInt16BE(length, 2)))) },
	{ row: 'A6', what: 'ChannelData longer and shorter than it says', over: DATAGRAMS, run: channelLengthRow },
	{ row: 'A6', what: 'ChannelData longer than any message', over: STREAMS, run: (way) => way.ends(Buffer.from([0x40, 0, 0xff, 0xff])) },
	{ row: 'A7', what: 'channel numbers that are none', over: ALL, run: channelRow },
	{ row: 'A8', what: 'attributes that run beyond the message', over: ALL, async run(way) {
		const client = await way.client();
		const last = binding([[0x8fff, bytes(4)]]);
		const lengths = [5, 8, 0xfffc, 0xffff].map((length) => edited((copy) => copy.writeUInt16BE(length, 22), last));
		await way.silent(client, lengths);
		await client.close();
	} },
	{ row: 'A9', what: 'attributes of every odd length', over: ALL, run: misalignedRow },
	{ row: 'A10', what: 'fixed-size attributes of another size', over: ALL, async run(way) {
		const client = await way.allocated();
		await malformed(way, client, [
			[400, METHOD.refresh, [ATTRIBUTE.lifetime, bytes(3)]],
			[400, METHOD.channelBind, [ATTRIBUTE.channelNumber, bytes(2)]],
			...[7, 9, 19, 21].map((size) => [400, METHOD.createPermission, peerOf(bytes(size))]),
			[400, METHOD.refresh, [ATTRIBUTE.errorCode, bytes(3)]],
		]);
		const fresh = await way.client();
		await malformed(way, fresh, [
			[400, METHOD.allocate, [ATTRIBUTE.requestedTransport, Buffer.alloc(0)]],
			[400, METHOD.allocate, TRANSPORT_UDP, [ATTRIBUTE.reservationToken, bytes(4)]],
			[400, METHOD.allocate, TRANSPORT_UDP, [ATTRIBUTE.evenPort, Buffer.alloc(0)]],
		]);
		await client.refresh(0);
		await Promise.all([client.close(), fresh.close()]);
	} },
	{ row: 'A11', what: 'address families 0, 3 and 255', over: ALL, async run(way) {
		const client = await way.allocated();
		const families = [0, 3, 255];
		const address = (family) => Buffer.concat([Buffer.from([0, family]), bytes(6)]);
		await malformed(way, client, families.map((family) => [400, METHOD.createPermission, peerOf(address(family))]));
		const fresh = await way.client();
		await malformed(way, fresh, families.map((family) =>
			[440, METHOD.allocate, TRANSPORT_UDP, [ATTRIBUTE.requestedAddressFamily, Buffer.from([family, 0, 0, 0])]]));
		await client.refresh(0);
		await Promise.all([client.close(), fresh.close()]);
	} },
	{ row: 'A12', what: 'names, realms and nonces that are too long or strange', over: ALL, run: nameRow },
	{ row: 'A13', what: 'a thousand attributes', over: ALL, run: attributesRow },
	{ row: 'A14', what: 'two XOR-PEER-ADDRESS', over: ALL, run: twoPeersRow },
	{ row: 'A16', what: 'a wrong FINGERPRINT, and one that is not the last', over: ALL, run: fingerprintRow },
	{ row: 'A17', what: 'a wrong cookie and first bits', over: ALL, run: (way) =>
		way.noMessage(edited((copy) => copy.writeUInt32BE(0x2112a443, 4)), edited((copy) => { copy[0] |= 0x80; }), edited((copy) => { copy[0] |= 0xc0; })) },
	{ row: 'A19', what: 'an unknown method', over: ALL, run: unknownMethodRow },
	{ row: 'A20', what: 'padding in replies', over: ALL, run: paddingRow },
	{ row: 'D3', what: 'what only who holds something may say', over: ALL, run: strangersRow },
	{ row: 'E1', what: 'a bare Allocate', over: ALL, run: unauthenticatedRow },
	{ row: 'E2', what: 'a bare Binding', over: ALL, run: bindingRow },
	{ row: 'E4', what: 'what RFC 5780 asks, unserved', over: ALL, run: discoveryRow },
	{ row: 'E6', what: 'answers', over: ALL, run: answersRow },
	{ row: 'F11', what: 'DONT-FRAGMENT, which is served', over: ALL, run: fragmentRow },
	{ row: 'F12', what: 'unknown attributes, required and optional', over: ALL, run: unknownRow },
	{ row: 'F13', what: 'frames in pieces, together and unpadded', over: STREAMS, run: framingRow },
	{ row: 'G2', what: 'HTTP', over: ALL, run: (way) => way.noMessage(...httpLines.map((text) => Buffer.from(text))) },
];
