// Bad input by what it asks: groups B, C, D and F of THREATS, over every transport to which they apply.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { until } from '../lib/cluster.mjs';
import { ATTRIBUTE, CLASS, METHOD, decodeAddress, echoPeer, encode } from '../lib/turn.mjs';
import { ALL, STREAMS, TRANSPORT_TCP, TRANSPORT_UDP, hasIpv6, sendTo } from '../lib/ways.mjs';
import { rows as credentials } from './credentials.mjs';

const family = (number) => Buffer.from([number, 0, 0, 0]);
const both = hasIpv6 ? [[ATTRIBUTE.additionalAddressFamily, family(2)]] : [];
const code = (wanted) => (error) => error.code === wanted;
const isSix = ({ address }) => address.includes(':');

// A socket that only listens, where the kernel lets us have that address; null elsewhere.
function listener(address) {
	const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4').unref();
	const made = { socket, heard: 0, close: () => new Promise((resolve) => socket.close(resolve)) };
	socket.on('message', () => { made.heard++; });
	return new Promise((resolve) => {
		socket.once('error', () => resolve(null));
		socket.bind(0, address, () => resolve(Object.assign(made, { port: socket.address().port })));
	});
}

// The whole row of an address that no peer may have: no permission, no channel, no Send, nothing from there, no Connect.
function denied(row, what, addresses) {
	return { row, what, over: ALL, ofIpv6: addresses.every((address) => isSix({ address })), async run(way) {
		const client = await way.client();
		await client.allocate({ extra: both });
		const echo = await echoPeer(way.server.peer);
		const heard = [];
		client.on('data', (payload) => heard.push(payload.toString()));
		await client.permit(echo);
		const sockets = [];
		const sends = [];
		for (const address of addresses.filter((each) => hasIpv6 || !isSix({ address: each }))) {
			const own = /^(127\.|::1$)/.test(address) && await listener(address);
			const peer = { address, port: own ? own.port : 9 };
			if (own) sockets.push({ ...own, relayed: address === '::1' ? way.six : client.relayed.address });
			// A relayed address of the server itself is allowed, but no other port of it (B9).
			if (address !== '::1') await way.refused(403, client.permit(peer), `CreatePermission ${address}`);
			await way.refused(403, client.bindChannel(0x4001, peer), `ChannelBind ${address}`);
			sends.push(sendTo(peer, 'x'));
		}
		await way.silent(client, sends, 'no_route');
		// What comes after it on the same relayed socket is heard, and nothing else.
		for (const { socket, relayed } of sockets.filter((each) => each.relayed === client.relayed.address)) {
			await new Promise((resolve) => socket.send('from there', client.relayed.port, relayed, resolve));
		}
		await client.send(sendTo(echo, 'behind'));
		await until('what is allowed', () => heard.length > 0);
		assert.deepEqual(heard, ['behind']);
		assert.ok(sockets.every((each) => each.heard === 0), 'something reached a denied peer');
		const [held] = (await way.server.allocations()).filter(({ agent }) => agent === client.agent);
		assert.deepEqual([held.packets_up, held.packets_down], [1, 1]);
		assert.deepEqual(held.peers.map(({ peer }) => peer.replace(/:\d+$/, '')), [way.server.peer]);
		await client.refresh(0);
		await Promise.all([client.close(), echo.close(), ...sockets.map((each) => each.close())]);
	} };
}

// The same for RFC 6062, of streams alone.
function deniedConnect(row, what, addresses) {
	return { row, what, over: STREAMS, ofIpv6: addresses.every((address) => isSix({ address })), async run(way) {
		for (const number of hasIpv6 ? [1, 2] : [1]) {
			const client = await way.client();
			await client.allocate({ transport: 6, extra: number === 2 ? [[ATTRIBUTE.requestedAddressFamily, family(2)]] : [] });
			for (const address of addresses.filter((each) => isSix({ address: each }) === (number === 2))) {
				await way.refused(403, client.connect({ address, port: 9 }), `Connect ${address}`);
			}
			await client.refresh(0);
			await client.close();
		}
	} };
}

const addresses = {
	B1: ['the loopback and this network', ['127.0.0.1', '127.255.255.254', '0.0.0.0', '0.1.2.3']],
	B2: ['the loopback of IPv6, and no address', ['::1', '::']],
	B4: ['IPv4 inside IPv6', ['::7f00:1', '2002:7f00:1::', '64:ff9b::7f00:1', '64:ff9b:1::7f00:1', '2001:0:7f00:1::', '2001:0:102:304::f5ff:fffe']],
	B5: ['special ranges', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '169.254.0.1', '192.0.0.1', '198.18.0.1',
		'192.0.2.1', '198.51.100.1', '203.0.113.1', '240.0.0.1', '255.255.255.255']],
	B6: ['link-local, unique local, site-local, multicast, discard', ['fe80::1', 'fc00::1', 'fdff::1', 'fec0::1', 'ff02::1', '224.0.0.1', '100::1']],
	B7: ['cloud metadata', ['169.254.169.254', 'fd00:ec2::254', '100.100.100.200']],
};

// Of the wire these are IPv6, and are what they carry: IPv4, which an allocation of IPv6 does not have.
async function mappedRow(way) {
	const mapped = ['::ffff:7f00:1', '::ffff:7f00:2', '::ffff:0:0', '::ffff:a00:1', '::ffff:a9fe:a9fe'];
	const client = await way.client();
	await client.allocate({ extra: both });
	for (const address of mapped) {
		// 127.0.0.2 is the server's own relayed address: its relayed ports are allowed, as 127.0.0.2 and as this.
		if (address !== '::ffff:7f00:2') await way.refused(403, client.permit({ address }), address);
		await way.refused(403, client.bindChannel(0x4001, { address, port: 9 }), address);
	}
	await way.silent(client, mapped.map((address) => sendTo({ address, port: 9 }, 'x')), 'no_route');
	await client.refresh(0);
	await client.close();
}

// An address that a rule allows, but at its own ports: nothing can be bound, sent or connected there.
async function ownPortsRow(way) {
	const { address, cluster: { ports } } = way.server;
	const client = await way.allocated();
	await client.permit({ address });
	for (const port of [ports.turn, ports.turns, ports.ws]) {
		await way.refused(403, client.bindChannel(0x4001, { address, port }), `port ${port}`);
	}
	await way.silent(client, [ports.turn, ports.turns, ports.ws].map((port) => sendTo({ address, port }, 'x')), 'peer_denied');
	await client.refresh(0);
	await client.close();
	if (!way.isStream) return;
	const connecting = await way.client();
	await connecting.allocate({ transport: 6 });
	for (const port of [ports.turn, ports.turns, ports.ws]) {
		await way.refused(403, connecting.connect({ address, port }), `Connect port ${port}`);
	}
	await connecting.refresh(0);
	await connecting.close();
}

// One bad peer of three: none is installed, so nothing may be sent to the good ones.
async function oneBadRow(way) {
	const client = await way.allocated();
	const good = await Promise.all(['127.0.3.1', '127.0.3.2'].map((address) => echoPeer(address)));
	await way.refused(403, client.permit(good[0], { address: '10.0.0.1' }, good[1]));
	await way.silent(client, good.map((peer) => sendTo(peer, 'x')), 'no_route');
	assert.deepEqual(good.map(({ received }) => received), [0, 0]);
	await client.refresh(0);
	await Promise.all([client.close(), ...good.map((peer) => peer.close())]);
}

async function familyRow(way) {
	const client = await way.allocated();
	const six = { address: '2600::1', port: 9 };
	await way.refused(443, client.permit(six));
	await way.refused(443, client.bindChannel(0x4001, six));
	await way.silent(client, [sendTo(six, 'x')], 'no_route');
	await client.refresh(0);
	await client.close();
	if (!way.isStream) return;
	const connecting = await way.client();
	await connecting.allocate({ transport: 6 });
	await way.refused(443, connecting.connect(six));
	await connecting.refresh(0);
	await connecting.close();
}

// A's data to A's own relayed address comes back once, and goes round no further.
async function ownRelayRow(way) {
	const client = await way.allocated();
	let heard = 0;
	client.on('data', () => { heard++; });
	await client.permit(client.relayed);
	await client.send(sendTo(client.relayed, 'to myself'));
	await until('it to come back', () => heard > 0);
	await client.binding();
	assert.equal(heard, 1);
	await client.refresh(0);
	await client.close();
}

async function quotaRow(way) {
	const name = `quota-${way.transport}`;
	const held = [];
	for (let n = 0; n < 5; n++) held.push(await way.allocated({ name }));
	const more = await way.client({ name });
	await way.refused(486, more.allocate());
	await held[0].refresh(0);
	await more.allocate();
	await Promise.all([...held.slice(1), more].map((each) => each.refresh(0)));
	await Promise.all([...held, more].map((each) => each.close()));
}

async function lifetimeRow(way) {
	const client = await way.client();
	await client.allocate({ lifetime: 0xffffffff });
	assert.equal(client.lifetime, 3600);
	assert.equal(await client.refresh(0xffffffff), 3600);
	await client.refresh(0);
	await client.close();
}

// Permissions and channels beyond their cap; those that are held go on.
async function capRow(way) {
	const client = await way.allocated();
	const peers = Array.from({ length: 64 }, (_, n) => ({ address: `127.0.3.${n + 1}`, port: 9 }));
	for (let n = 0; n < 64; n += 8) await client.permit(...peers.slice(n, n + 8));
	await way.refused(508, client.permit({ address: '127.0.3.65' }));
	for (let n = 0; n < 64; n++) await client.bindChannel(0x4000 + n, peers[n]);
	await way.refused(508, client.bindChannel(0x4040, { ...peers[0], port: 10 }));
	await way.refused(508, client.permit(...peers.slice(0, 9)), 'nine peers at once');
	await client.bindChannel(0x4000, peers[0]);
	await client.refresh(0);
	await client.close();
}

// A connection that closes takes its allocation along, and gives the quota back once.
async function goneRow(way) {
	const name = `gone-${way.transport}`;
	for (let round = 0; round < 2; round++) {
		const held = [];
		for (let n = 0; n < 5; n++) held.push(await way.allocated({ name }));
		await Promise.all(held.map((each) => each.close()));
		await until('the ends', async () => (await way.server.allocations()).every(({ agent }) => !agent.endsWith(name)));
	}
	const all = [];
	for (let n = 0; n < 5; n++) all.push(await way.allocated({ name }));
	const more = await way.client({ name });
	await way.refused(486, more.allocate());
	await Promise.all(all.map((each) => each.refresh(0)));
	await Promise.all([...all, more].map((each) => each.close()));
}

// The same bytes again get the same success, and there is one allocation.
async function again(way) {
	const client = await way.client();
	await assert.rejects(client.request('challenge', METHOD.refresh, () => []), code(437)); // realm and nonce are known now
	const packet = encode(METHOD.allocate, CLASS.request, randomBytes(12), [TRANSPORT_UDP, [ATTRIBUTE.username, Buffer.from(client.username)],
		[ATTRIBUTE.realm, Buffer.from(client.realm)], [ATTRIBUTE.nonce, client.nonce]], client.key);
	const replies = [await client.transact(packet), await client.transact(packet)];
	const relayed = replies.map((reply) => reply.get(ATTRIBUTE.xorRelayedAddress)?.toString('hex'));
	assert.ok(relayed[0]);
	assert.equal(relayed[0], relayed[1]);
	assert.equal((await way.server.allocations()).filter(({ agent }) => agent === client.agent).length, 1);
	const { address, port } = decodeAddress(replies[0].get(ATTRIBUTE.xorRelayedAddress), replies[0].transaction);
	const created = (await way.cluster.log('turn_allocation_created')).filter(({ fields }) => fields.relayed === `${address}:${port}`);
	assert.equal(created.filter(({ fields }) => fields.user_name === client.agent).length, 1);
	await client.refresh(0);
	await client.close();
}

async function transportRow(way) {
	const client = await way.client();
	await way.refused(400, way.ask(client, METHOD.allocate, []), 'missing');
	await way.refused(442, way.ask(client, METHOD.allocate, [[ATTRIBUTE.requestedTransport, family(1)]]), 'ICMP');
	if (!way.isStream) await way.refused(442, way.ask(client, METHOD.allocate, [TRANSPORT_TCP]), 'TCP'); // RFC 6062 section 5.1
	await client.close();
}

const reserve = [ATTRIBUTE.evenPort, Buffer.from([0x80])];
const even = [ATTRIBUTE.evenPort, Buffer.from([0])];
const token = [ATTRIBUTE.reservationToken, Buffer.alloc(8, 7)];
const requested = [ATTRIBUTE.requestedAddressFamily, family(1)];
const additional = [ATTRIBUTE.additionalAddressFamily, family(2)];

async function contradictionsRow(way) {
	const client = await way.client();
	const rows = [[even, token], [reserve, token], [requested, token], [additional, token], [additional, requested], [additional, reserve],
		[[ATTRIBUTE.additionalAddressFamily, family(1)]]];
	for (const row of rows) await way.refused(400, way.ask(client, METHOD.allocate, [TRANSPORT_UDP, ...row]), row.map(([type]) => type.toString(16)));
	await way.refused(508, way.ask(client, METHOD.allocate, [TRANSPORT_UDP, token]), 'a token of nobody');
	await client.close();
}

async function secondRow(way) {
	const client = await way.allocated();
	const { relayed } = client;
	await way.refused(437, client.allocate());
	await way.refused(437, client.allocate({ lifetime: 0 }));
	assert.equal(await client.refresh(600), 600);
	assert.equal(client.relayed, relayed);
	await client.refresh(0);
	await client.close();
}

async function releaseRow(way) {
	const client = await way.allocated();
	assert.equal(await client.refresh(0), 0);
	await way.refused(437, client.refresh(600));
	await way.refused(437, client.refresh(0));
	await client.close();
}

async function channelsRow(way) {
	const client = await way.allocated();
	const [one, other] = [9, 10].map((port) => ({ address: way.server.peer, port }));
	await client.bindChannel(0x4000, one);
	const rows = [[0x4000, other], [0x4001, one], [0x5000, other], [0x3fff, other], [0x8000, other], [0xffff, other]];
	for (const [number, peer] of rows) await way.refused(400, client.bindChannel(number, peer), number.toString(16));
	await client.bindChannel(0x4000, one);
	await client.refresh(0);
	await client.close();
}

async function listening(way) {
	const client = await way.allocated();
	const made = { client, echo: await echoPeer(way.server.peer), other: await listener(way.server.peer), heard: [] };
	client.on('data', (payload, { peer }) => made.heard.push([payload.toString(), peer.port]));
	made.fromOther = (text) => new Promise((resolve) =>
		made.other.socket.send(text, client.relayed.port, client.relayed.address, resolve));
	made.end = async () => {
		await client.refresh(0);
		await Promise.all([client, made.echo, made.other].map((each) => each.close()));
	};
	return made;
}

// Neither is queued: what comes after the permission is heard alone. How long one lives: allocation_test.
async function tooEarlyRow(way) {
	const { client, echo, heard, fromOther, other, end } = await listening(way);
	await way.silent(client, [sendTo(echo, 'too early')], 'no_route');
	await fromOther('too early');
	await client.permit(echo);
	await fromOther('permitted');
	await until('what is permitted', () => heard.length > 0);
	assert.deepEqual(heard, [['permitted', other.port]]);
	assert.equal(echo.received, 0);
	await end();
}

// A permission is per IP, and a channel is one: for its peer as ChannelData, for other ports of it as Data.
async function otherPortRow(way) {
	const { client, echo, heard, fromOther, other, end } = await listening(way);
	await client.bindChannel(0x4000, echo);
	await fromOther('another port');
	await until('it', () => heard.length > 0);
	assert.deepEqual(heard, [['another port', other.port]]);
	await end();
}

export const rows = [
	...Object.entries(addresses).map(([row, [what, each]]) => denied(row, `a peer among ${what}`, each)),
	...Object.entries(addresses).map(([row, [what, each]]) => deniedConnect(row, `Connect to ${what}`, each.filter((address) => address !== '::1'))),
	{ row: 'B3', what: 'a peer that is IPv4 in the clothes of IPv6', over: ALL, ofIpv6: true, run: mappedRow },
	{ row: 'B8', what: 'the server\'s own ports as a peer', over: ALL, run: ownPortsRow },
	{ row: 'B9', what: 'a client\'s own relayed address as its peer', over: ALL, run: ownRelayRow },
	{ row: 'B13', what: 'one bad peer of three', over: ALL, run: oneBadRow },
	{ row: 'B16', what: 'a peer of another family', over: ALL, run: familyRow },
	...credentials,
	{ row: 'D5', what: 'more allocations than a user may have', over: ALL, run: quotaRow },
	{ row: 'D7', what: 'a lifetime of 136 years', over: ALL, run: lifetimeRow },
	{ row: 'D8', what: 'more permissions and channels than fit', over: ALL, run: capRow },
	{ row: 'D12', what: 'clients that disconnect', over: [...STREAMS, 'dtls'], run: goneRow }, // over UDP nobody does
	{ row: 'F1', what: 'Allocate again, the same', over: ALL, run: again },
	{ row: 'F2', what: 'a second Allocate', over: ALL, run: secondRow },
	{ row: 'F6', what: 'LIFETIME 0, then again', over: ALL, run: releaseRow },
	{ row: 'F3', what: 'REQUESTED-TRANSPORT missing and unserved', over: ALL, run: transportRow },
	{ row: 'F4', what: 'attributes that contradict one another', over: ALL, run: contradictionsRow },
	{ row: 'F7', what: 'channels bound otherwise, and out of range', over: ALL, run: channelsRow },
	{ row: 'F8', what: 'data before a permission, either way', over: ALL, run: tooEarlyRow },
	{ row: 'F9', what: 'data from another port of a permitted peer', over: ALL, run: otherPortRow },
];

// Of a server that has one family alone, and few ports.

async function unservedRow(way) {
	const client = await way.client();
	const asked = (number) => way.ask(client, METHOD.allocate, [TRANSPORT_UDP, [ATTRIBUTE.requestedAddressFamily, family(number)]]);
	await way.refused(440, asked(2), 'IPv6');
	await way.refused(440, asked(3), 'no family');
	await client.close();
}

// All ports are soon gone, to this transport or another: then there is no room, and none of it is lost.
async function fullRow(way) {
	const all = await Promise.all(Array.from({ length: 9 }, () => way.client()));
	const results = await Promise.allSettled(all.map((each) => each.allocate()));
	const refused = results.filter(({ status }) => status === 'rejected');
	assert.ok(refused.length > 0);
	assert.deepEqual(refused.map(({ reason }) => reason.code).filter((each) => each !== 508), []);
	way.server.expect('refused_total 508', refused.length);
	await Promise.all(all.map((each) => each.relayed && each.refresh(0)));
	await Promise.all(all.map((each) => each.close()));
}

async function oneOfTwoRow(way) {
	const client = await way.client();
	const reply = await until('a port', () => way.ask(client, METHOD.allocate, [TRANSPORT_UDP, additional]));
	client.relayed = decodeAddress(reply.get(ATTRIBUTE.xorRelayedAddress), reply.transaction);
	assert.deepEqual([...reply.get(ATTRIBUTE.addressErrorCode).subarray(0, 4)], [2, 0, 4, 40]);
	assert.equal(client.relayed.address, '127.0.0.2');
	await client.refresh(0);
	await client.close();
}

export const narrow = [
	{ row: 'F5', what: 'a family that is not served', over: ALL, run: unservedRow },
	{ row: 'F5', what: 'more allocations than there are ports', over: ALL, run: fullRow },
	{ row: 'F14', what: 'two families of which one is served', over: ALL, run: oneOfTwoRow },
];
