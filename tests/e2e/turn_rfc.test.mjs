// What RFC 8656 and its companions have beyond plain relaying, over the wire: two families in one allocation, clients
// that move (RFC 8016), pairs of ports over several relays, ICMP errors and datagrams that are not fragmented.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import os from 'node:os';
import { after, before, describe, it } from 'node:test';
import { kill, start, until } from './lib/cluster.mjs';
import { assertNothingLost, echoTool, uclient } from './lib/coturn.mjs';
import { ATTRIBUTE, CLASS, METHOD, TurnClient, decodeAddress, echoPeer, encode, encodeAddress } from './lib/turn.mjs';

const hasIpv6 = Object.values(os.networkInterfaces()).flat().some((each) => each.address === '::1');
const noIpv6 = !hasIpv6 && 'no ::1 here';

async function client(cluster, name, more = {}) {
	const { username, credential: password } = await cluster.credential(name);
	const made = new TurnClient({ port: cluster.ports.turn, username, password, ...more });
	await made.ready;
	return made;
}

const family = (number) => Buffer.from([number, 0, 0, 0]);
const both = [[ATTRIBUTE.additionalAddressFamily, family(2)]];
const zero = Buffer.alloc(4);

async function allocateBoth(made) {
	const reply = await made.request('Allocate', METHOD.allocate, () =>
		[[ATTRIBUTE.requestedTransport, Buffer.from([17, 0, 0, 0])], ...both]);
	return {
		relayed: reply.attributes.filter((each) => each.type === ATTRIBUTE.xorRelayedAddress)
			.map((each) => decodeAddress(each.value, reply.transaction)),
		error: reply.get(ATTRIBUTE.addressErrorCode),
	};
}

// A word there and back over Send and Data.
async function echoes(made, peer) {
	const answer = new Promise((resolve) => made.once('data', resolve));
	await made.sendIndication(peer, Buffer.from('hello'));
	assert.equal((await answer).toString(), 'hello');
}

describe('an allocation of both families', { skip: noIpv6 }, () => {
	let cluster;
	before(async () => {
		cluster = await start('dual', { 'allowed-peer-ip': ['127.0.0.1', '::1'], 'legacy-channels': 'yes' }, { relayed: 3000 });
	});
	after(() => cluster?.close());

	it('relays to peers of either until each is given up', async () => {
		const made = await client(cluster, 'dual');
		const four = await echoPeer();
		const six = await echoPeer('::1');
		const { relayed, error } = await allocateBoth(made);

		assert.deepEqual(relayed.map((each) => each.address), ['127.0.0.1', '::1']);
		assert.equal(error, undefined);
		await made.permit(four, six);
		await echoes(made, four);
		await echoes(made, six);

		const giveUp = (number) => made.request('Refresh', METHOD.refresh, () =>
			[[ATTRIBUTE.lifetime, zero], [ATTRIBUTE.requestedAddressFamily, family(number)]]);
		await giveUp(2);
		await assert.rejects(made.permit(six), (refusal) => refusal.code === 443);
		await assert.rejects(giveUp(2), (refusal) => refusal.code === 443);
		await echoes(made, four);
		await giveUp(1);
		await assert.rejects(made.refresh(600), (refusal) => refusal.code === 437);
		await Promise.all([made.close(), four.close(), six.close()]);

		const created = (await cluster.log('turn_allocation_created'))
			.find((each) => each.fields.relayed_also?.endsWith(`:${relayed[1].port}`));
		assert.equal(created.fields.relayed, `127.0.0.1:${relayed[0].port}`);
		const released = await until('the release in the log', async () => (await cluster.log('turn_address_released'))[0]);
		assert.equal(released.fields.relayed, `[::1]:${relayed[1].port}`);
		const ended = (await cluster.log('turn_allocation_ended'))
			.find((each) => each.fields.allocation === created.fields.allocation);
		assert.equal(ended.fields.packets_up, 3);
		assert.equal(ended.fields.packets_down, 3);
	});

	it('has both addresses again after a kill -9 of its relay', async () => {
		const made = await client(cluster, 'again');
		const four = await echoPeer();
		const six = await echoPeer('::1');

		await allocateBoth(made);
		await made.permit(four, six);
		kill((await cluster.status()).actors.find((each) => each.name === 'relay-1').pid);
		for (const peer of [four, six]) {
			await until(`an echo of ${peer.address}`, async () => {
				await made.sendIndication(peer, Buffer.from('hello'));
				return peer.received > 0;
			});
			await echoes(made, peer);
		}
		await made.refresh(0);
		await Promise.all([made.close(), four.close(), six.close()]);
	});

	it('is rebuilt from the log as it lives', async () => {
		await cluster.stop();
		assert.equal((await cluster.ifreplay('verify')).code, 0);
	});
});

describe('an allocation of both families where one is not served', () => {
	let cluster;
	before(async () => {
		cluster = await start('one', { 'allowed-peer-ip': '127.0.0.1', 'relay-ip': '127.0.0.1' });
	});
	after(() => cluster?.close());

	it('is one of IPv4, and says why (threat_F14)', async () => {
		const made = await client(cluster, 'single');
		const { relayed, error } = await allocateBoth(made);

		assert.deepEqual(relayed.map((each) => each.address), ['127.0.0.1']);
		assert.deepEqual([...error.subarray(0, 4)], [2, 0, 4, 40]);
		await made.refresh(0);
		await made.close();
	});
});

const ticketOf = (reply) => reply.get(ATTRIBUTE.mobilityTicket);
const resume = (made, ticket, extra = []) =>
	made.request('Refresh', METHOD.refresh, () => [[ATTRIBUTE.mobilityTicket, ticket], ...extra]);

async function mobile(cluster, name) {
	const made = await client(cluster, name);
	const reply = await made.request('Allocate', METHOD.allocate, () => [
		[ATTRIBUTE.requestedTransport, Buffer.from([17, 0, 0, 0])], [ATTRIBUTE.mobilityTicket, Buffer.alloc(0)]]);
	return { made, ticket: ticketOf(reply) };
}

// The same user at another port.
async function elsewhere(cluster, { username, password }) {
	const made = new TurnClient({ port: cluster.ports.turn, username, password });
	await made.ready;
	return made;
}

describe('a client that moves (RFC 8016)', () => {
	let cluster;
	before(async () => {
		cluster = await start('move', { mobility: 'yes', 'allowed-peer-ip': '127.0.0.1', 'legacy-channels': 'yes' }, { relayed: 3000 });
	});
	after(() => cluster?.close());

	it('goes on from its new address, and what the log says of it is where it was and is (threat_F15)', async () => {
		const { made, ticket } = await mobile(cluster, 'mover');
		const moved = await elsewhere(cluster, made);
		const peer = await echoPeer();

		await made.bindChannel(0x4000, peer);
		await echoes(made, peer);
		const next = ticketOf(await resume(moved, ticket));
		assert.notDeepEqual(next, ticket);
		await echoes(moved, peer);
		let late = 0;
		made.on('data', () => { late++; });
		await made.sendChannel(0x4000, Buffer.from('from where it was'));
		await assert.rejects(made.refresh(600), (refusal) => refusal.code === 437);
		await assert.rejects(resume(made, ticket), (refusal) => refusal.code === 400);
		await echoes(moved, peer);
		assert.equal(late, 0);
		assert.equal(peer.received, 3);
		await moved.refresh(0);

		const event = await until('the move in the log', async () => (await cluster.log('turn_allocation_moved'))[0]);
		assert.equal(event.fields.client_before, `127.0.0.1:${made.socket.address().port}`);
		assert.equal(event.fields.client, `127.0.0.1:${moved.socket.address().port}`);
		const told = await cluster.ifreplay('agent', 'mover');
		assert.match(told.out, /took its relay along from 127\.0\.0\.1:/);
		await Promise.all([made.close(), moved.close(), peer.close()]);
	});

	it('is refused with the ticket of another user, and with one of nobody, however often (threat_F15)', async () => {
		const { made, ticket } = await mobile(cluster, 'owner');
		const thief = await client(cluster, 'thief');
		const peer = await echoPeer();

		await made.permit(peer);
		await assert.rejects(resume(thief, ticket), (refusal) => refusal.code === 441);
		const forged = Buffer.from(ticket);
		forged[0] = forged[0] === 65 ? 66 : 65;
		for (let n = 0; n < 100; n++) {
			await assert.rejects(resume(thief, forged), (refusal) => [400, 437].includes(refusal.code));
		}
		await echoes(made, peer);
		await made.refresh(0);
		await Promise.all([made.close(), thief.close(), peer.close()]);
		const held = (await cluster.log('turn_allocation_created')).length;
		assert.equal((await cluster.log('turn_allocation_ended')).length, held);
	});

	it('is taken along over a kill -9 of the relay', async () => {
		const { made, ticket } = await mobile(cluster, 'killed');
		const moved = await elsewhere(cluster, made);
		const peer = await echoPeer();

		await made.permit(peer);
		kill((await cluster.status()).actors.find((each) => each.name === 'relay-1').pid);
		await resume(moved, ticket);
		await echoes(moved, peer);
		await moved.refresh(0);
		await Promise.all([made.close(), moved.close(), peer.close()]);
	});

	it('loses nothing of turnutils_uclient -M', async () => {
		const peer = await echoTool('127.0.0.1', cluster.ports.turn + 2);
		try {
			assertNothingLost(await uclient(cluster, { peer, flags: ['-M'] }));
			assertNothingLost(await uclient(cluster, { peer, flags: ['-M', '-s'] }));
			assertNothingLost(await uclient(cluster, { flags: ['-M', '-y'] }));
		} finally {
			peer.stop();
		}
	});

	it('is rebuilt from the log as it lives', async () => {
		await cluster.stop();
		assert.equal((await cluster.ifreplay('verify')).code, 0);
	});
});

// Three relays: the kernel brings a client that comes from another port to any of them.
describe('a client that moves from relay to relay (RFC 8016)', () => {
	const MOVES = 48; // often enough that some come back before the relay they left has heard of it
	let cluster;
	before(async () => {
		cluster = await start('moves', { relays: 3, mobility: 'yes', 'allowed-peer-ip': '127.0.0.1', 'legacy-channels': 'yes' },
			{ relayed: 3000 });
	});
	after(() => cluster?.close());

	it('keeps its relayed address, permissions and channels, and every byte is counted once', async () => {
		let { made, ticket } = await mobile(cluster, 'walker');
		const peer = await echoPeer();
		const stranger = await echoPeer();
		await made.bindChannel(0x4000, peer);
		await echoes(made, peer);
		for (let i = 0; i < MOVES; i++) {
			const next = await elsewhere(cluster, made);
			ticket = ticketOf(await resume(next, ticket));
			await echoes(next, peer);
			const back = new Promise((resolve) => { next.once('data', resolve); });
			await next.sendChannel(0x4000, Buffer.from('hello'));
			assert.equal((await back).toString(), 'hello');
			await assert.rejects(made.refresh(600), (refusal) => refusal.code === 437);
			await made.close();
			made = next;
		}
		await made.permit(stranger);
		await echoes(made, stranger);
		await made.refresh(0);
		const ended = await until('the end in the log', async () => (await cluster.log('turn_allocation_ended'))[0]?.fields);
		assert.equal(ended.bytes_up, 5 * (2 * MOVES + 2));
		assert.equal(ended.bytes_down, 5 * (2 * MOVES + 2));
		const relays = (await cluster.log('turn_allocation_moved')).map(({ fields }) => fields.relay);
		assert.equal(relays.length, MOVES);
		assert.ok(new Set(relays).size > 1, 'the kernel never brought it to another relay: nothing was shown');
		assert.equal(ended.relay, relays.at(-1));
		await Promise.all([made.close(), peer.close(), stranger.close()]);
	});

	it('loses nothing that its peer sends meanwhile', async () => {
		let { made, ticket } = await mobile(cluster, 'listener');
		const heard = new Set();
		const listen = (each) => each.on('data', (bytes) => heard.add(bytes.toString()));
		const relayed = (await cluster.log('turn_allocation_created')).at(-1).fields.relayed.split(':').at(-1);
		const peer = dgram.createSocket('udp4');
		await new Promise((resolve) => { peer.bind(0, '127.0.0.1', resolve); });
		peer.unref();
		await made.permit({ address: '127.0.0.1' });
		listen(made);
		let sent = 0;
		const old = [];
		for (let i = 0; i < MOVES; i++) {
			const next = await elsewhere(cluster, made);
			listen(next);
			const arrives = resume(next, ticket);
			for (let n = 0; n < 20; n++) peer.send(String(sent++), Number(relayed), '127.0.0.1');
			ticket = ticketOf(await arrives);
			old.push(made);
			made = next;
		}
		await until('all of it', () => heard.size === sent);
		await made.refresh(0);
		await Promise.all([...old, made].map((each) => each.close()));
		await new Promise((resolve) => { peer.close(resolve); });
	});

	it('goes on when the relay it leaves is killed, and when all of them are', async () => {
		let { made, ticket } = await mobile(cluster, 'survivor');
		const peer = await echoPeer();
		await made.permit(peer);
		for (const dead of ['relay-1', 'relay-2', 'relay-3', 'allocation']) {
			const next = await elsewhere(cluster, made);
			kill((await cluster.status()).actors.find((each) => each.name === dead).pid);
			ticket = ticketOf(await resume(next, ticket));
			await echoes(next, peer);
			await made.close();
			made = next;
		}
		await made.refresh(0);
		await Promise.all([made.close(), peer.close()]);
	});

	it('loses nothing of turnutils_uclient -M', async () => {
		const peer = await echoTool('127.0.0.1', cluster.ports.turn + 2);
		try {
			assertNothingLost(await uclient(cluster, { peer, flags: ['-M'] }));
			assertNothingLost(await uclient(cluster, { peer, flags: ['-M', '-s'] }));
		} finally {
			peer.stop();
		}
	});

	it('is verified and replayed like everything else', async () => {
		const result = await cluster.ifreplay('verify');
		assert.equal(result.code, 0, result.text);
	});
});

// The kernel brings a client's second socket to any of three relays; the port that is kept for it is one relay's.
describe('a pair of ports whose second is asked for at another relay', () => {
	const PAIRS = 12; // all of them with the relay that keeps the port: once in half a million runs
	const even = [[ATTRIBUTE.evenPort, Buffer.from([0x80])]];
	const hosts = ['127.0.0.1', ...(hasIpv6 ? ['::1'] : [])];
	let cluster;
	before(async () => {
		cluster = await start('pairs', { relays: 3, 'allowed-peer-ip': hosts, 'legacy-channels': 'yes' }, { relayed: 3000 });
	});
	after(() => cluster?.close());

	// Who has the even port, and what the odd one is asked for with.
	async function first(name, host) {
		const made = await client(cluster, name, { host });
		const reply = await made.request('Allocate', METHOD.allocate, () => [[ATTRIBUTE.requestedTransport, Buffer.from([17, 0, 0, 0])],
			...(host === '::1' ? [[ATTRIBUTE.requestedAddressFamily, family(2)]] : []), ...even]);
		const token = reply.get(ATTRIBUTE.reservationToken);
		const { port } = decodeAddress(reply.get(ATTRIBUTE.xorRelayedAddress), reply.transaction);
		return { made, port, extra: [[ATTRIBUTE.reservationToken, token]] };
	}
	async function another({ server, username, password }) {
		const made = new TurnClient({ ...server, username, password });
		await made.ready;
		return made;
	}

	for (const host of hosts) {
		it(`threat_F17 is one relay's port and then another's, once, at ${host}`, async () => {
			const before = (await cluster.log('turn_allocation_created')).length;
			const peer = await echoPeer(host);
			const pairs = [];
			for (let i = 0; i < PAIRS; i++) {
				const { made, port, extra } = await first('pair', host);
				const second = await another(made);
				const late = await another(made);
				assert.deepEqual(await second.allocate({ extra }), { address: host, port: port + 1 });
				await assert.rejects(late.allocate({ extra }), (refusal) => refusal.code === 508);
				await second.permit(peer);
				await echoes(second, peer);
				await second.refresh(0);
				await made.refresh(0);
				await Promise.all([made, second, late].map((each) => each.close()));
				pairs.push(port);
			}
			await peer.close();
			const created = (await cluster.log('turn_allocation_created')).slice(before).map(({ fields }) => fields);
			assert.deepEqual(created.map(({ relayed }) => Number(relayed.split(':').at(-1))), pairs.flatMap((port) => [port, port + 1]));
			const crossed = pairs.filter((_, i) => created[2 * i].relay !== created[2 * i + 1].relay);
			assert.ok(crossed.length > 0, 'the kernel never brought it to another relay: nothing was shown');
		});
	}

	it('loses nothing of turnutils_uclient', async () => {
		const peer = await echoTool('127.0.0.1', cluster.ports.turn + 2);
		try {
			const runs = await Promise.all([1, 2, 3].map(() => uclient(cluster, { peer, pairs: true })));
			runs.forEach(assertNothingLost);
		} finally {
			peer.stop();
		}
	});

	it('is gone with the relay that kept it', async () => {
		for (const relay of [1, 2, 3]) {
			const { made, extra } = await first('lost', '127.0.0.1');
			const { relay: keeper } = (await cluster.log('turn_allocation_created')).at(-1).fields;
			const { pid } = (await cluster.status()).actors.find((each) => each.name === `relay-${keeper}`);
			kill(pid);
			const second = await another(made);
			await assert.rejects(second.allocate({ extra }), (refusal) => refusal.code === 508, `round ${relay}`);
			await Promise.all([made.close(), second.close()]);
		}
	});

	it('is verified and replayed like everything else', async () => {
		const result = await cluster.ifreplay('verify');
		assert.equal(result.code, 0, result.text);
	});
});

describe('datagrams to peers, and replies', () => {
	let cluster;
	before(async () => {
		cluster = await start('icmp', { 'allowed-peer-ip': '127.0.0.1', 'legacy-channels': 'yes' }, { relayed: 3000 });
	});
	after(() => cluster?.close());

	it('that nobody listens at are told as ICMP, seldom, and harm no other (threat_E7)', async () => {
		const made = await client(cluster, 'icmp');
		const peer = await echoPeer();
		const gone = await echoPeer();
		const nobody = { address: gone.address, port: gone.port };
		const told = [];
		made.on('icmp', (error) => told.push(error));

		await gone.close();
		await made.allocate();
		await made.permit(peer);
		await until('the ICMP error', async () => {
			await made.sendIndication(nobody, Buffer.from('anyone?'));
			return told.length > 0;
		});
		assert.deepEqual(told[0], { type: 3, code: 3, peer: nobody });
		const start = Date.now();
		for (let n = 0; n < 50; n++) await made.sendIndication(nobody, Buffer.from('anyone?'));
		await echoes(made, peer);
		assert.ok(told.length <= 2 + (Date.now() - start) / 100, `${told.length} errors told`);
		await made.refresh(0);
		await Promise.all([made.close(), peer.close()]);
	});

	it('may be empty, both ways, with a channel and without', async () => {
		const made = await client(cluster, 'empty');
		const peer = await echoPeer();
		const heard = [];
		made.on('data', (payload, { channel }) => heard.push([payload.length, channel]));
		await made.allocate();
		await made.permit(peer);
		await made.sendIndication(peer, Buffer.alloc(0));
		await until('the Data indication', () => heard.length === 1);
		await made.bindChannel(0x4000, peer);
		await made.sendChannel(0x4000, Buffer.alloc(0));
		await until('the ChannelData', () => heard.length === 2);
		assert.deepEqual(heard, [[0, undefined], [0, 0x4000]]);
		await made.refresh(0);
		await Promise.all([made.close(), peer.close()]);
	});

	it('are not fragmented if the client says so (threat_F11)', async () => {
		const made = await client(cluster, 'whole');
		const peer = await echoPeer();
		await made.allocate({ extra: [[ATTRIBUTE.dontFragment, Buffer.alloc(0)]] });
		await made.permit(peer);
		const answer = new Promise((resolve) => made.once('data', resolve));
		const transaction = randomBytes(12);
		await made.send(encode(METHOD.send, CLASS.indication, transaction, [
			[ATTRIBUTE.xorPeerAddress, encodeAddress(peer, transaction)],
			[ATTRIBUTE.dontFragment, Buffer.alloc(0)], [ATTRIBUTE.data, Buffer.from('whole')],
		]));
		assert.equal((await answer).toString(), 'whole');
		await made.refresh(0);
		await Promise.all([made.close(), peer.close()]);
	});

	it('name the software only to who is known (threat_E1)', async () => {
		const made = await client(cluster, 'software');
		const bare = await made.transact(encode(METHOD.allocate, CLASS.request, randomBytes(12),
			[[ATTRIBUTE.requestedTransport, Buffer.from([17, 0, 0, 0])]]));
		assert.equal(bare.get(ATTRIBUTE.software), undefined);
		await made.allocate();
		const reply = await made.request('Refresh', METHOD.refresh, () => [[ATTRIBUTE.lifetime, zero]]);
		assert.equal(reply.get(ATTRIBUTE.software).toString(), 'ifswarm');
		await made.close();
	});

	it('loses nothing of turnutils_uclient -g', async () => {
		const peer = await echoTool('127.0.0.1', cluster.ports.turn + 2);
		try {
			assertNothingLost(await uclient(cluster, { peer, flags: ['-g'] }));
			assertNothingLost(await uclient(cluster, { peer, flags: ['-g', '-s'] }));
		} finally {
			peer.stop();
		}
	});
});

describe('a server that lets nobody move', () => {
	let cluster;
	before(async () => { cluster = await start('still', { 'allowed-peer-ip': '127.0.0.1' }); });
	after(() => cluster?.close());

	it('says so with 405', async () => {
		const made = await client(cluster, 'still');
		await assert.rejects(made.allocate({ extra: [[ATTRIBUTE.mobilityTicket, Buffer.alloc(0)]] }), (refusal) => refusal.code === 405);
		await made.allocate();
		await made.refresh(0);
		await made.close();
	});
});
