// What one client is given and another shows, over every transport, with three relays: the kernel brings whoever comes
// from another port to any of them. What happens when a relay dies meanwhile: turn_rfc.test.mjs.
import assert from 'node:assert/strict';
import { ATTRIBUTE, METHOD, decodeAddress, echoPeer } from '../lib/turn.mjs';
import { ALL, TRANSPORT_UDP } from '../lib/ways.mjs';

const ROUNDS = 6; // all of them at the relay that gave it out: once in 729 runs, and then nothing is wrong

async function endsAll(...clients) {
	await clients[0].refresh(0);
	await Promise.all(clients.map((each) => each.close()));
}

const spoiled = (bytes, at) => Buffer.from(bytes.map((byte, place) => (place === at ? byte ^ 1 : byte)));
const sameUser = ({ username, password }) => ({ username, password });

// --- a ticket (RFC 8016) -----------------------------------------------------------------------------------------------

const ticketOf = (reply) => reply.get(ATTRIBUTE.mobilityTicket);
const resume = (way, client, ticket) => way.ask(client, METHOD.refresh, [[ATTRIBUTE.mobilityTicket, ticket]]);

// With a channel to an echo.
async function mobile(way) {
	const client = await way.client();
	const ticket = ticketOf(await way.ask(client, METHOD.allocate, [TRANSPORT_UDP, [ATTRIBUTE.mobilityTicket, Buffer.alloc(0)]]));
	const peer = await echoPeer(way.server.peer);
	await client.bindChannel(0x4000, peer);
	return { client, ticket, peer };
}

async function echoes(client) {
	const back = new Promise((resolve) => { client.once('data', (payload) => resolve(payload.toString())); });
	await client.sendChannel(0x4000, Buffer.from('to and fro'));
	assert.equal(await back, 'to and fro');
}

// By the relay that has the allocation: 441 to another user, 400 for a ticket that it did not give out. By any other,
// which knows of no such allocation of that user: 437.
const isRefused = (refusal) => [400, 437, 441].includes(refusal.code);

async function assertRelayed(way, { agent }, packets) {
	const held = (await way.server.allocations()).filter((each) => each.agent === agent);
	assert.deepEqual(held.map(({ packets_up, packets_down }) => [packets_up, packets_down]), [[packets, packets]]);
}

async function strangersTicketRow(way) {
	const { client, ticket, peer } = await mobile(way);
	for (let round = 0; round < ROUNDS; round++) {
		const thief = await way.client();
		await assert.rejects(resume(way, thief, ticket), isRefused, 'another user\'s');
		for (let at = 0; at < ticket.length; at++) await assert.rejects(resume(way, thief, spoiled(ticket, at)), isRefused, `byte ${at}`);
		await assert.rejects(resume(way, thief, ticket.subarray(1)), isRefused, 'too short');
		await thief.close();
		await echoes(client);
	}
	await endsAll(client);
	await peer.close();
}

async function usedTicketRow(way) {
	let { client, ticket, peer } = await mobile(way);
	for (let round = 0; round < ROUNDS; round++) {
		const next = await way.client(sameUser(client));
		const newer = ticketOf(await resume(way, next, ticket));
		await echoes(next);
		await way.refused(437, client.refresh(600), 'from where it was');
		await assert.rejects(resume(way, client, ticket), isRefused, 'the ticket once more');
		await echoes(next);
		await client.close();
		[client, ticket] = [next, newer];
	}
	await assertRelayed(way, client, 2 * ROUNDS);
	await endsAll(client);
	await peer.close();
}

// From Wi-Fi to where only TLS gets through, and on: each move is to the next transport, and the way left is closed at once.
async function roundRow(way) {
	let { client, ticket, peer } = await mobile(way);
	const first = ALL.indexOf(way.transport);
	for (let round = 1; round <= 2 * ALL.length; round++) {
		const next = await way.over(ALL[(first + round) % ALL.length]).client(sameUser(client));
		ticket = ticketOf(await resume(way, next, ticket));
		await client.close();
		client = next;
		await echoes(client);
	}
	await assertRelayed(way, client, 2 * ALL.length);
	await endsAll(client);
	await peer.close();
}

// --- a reserved port (RFC 8656 section 7) ------------------------------------------------------------------------------

async function reserving(way) {
	const client = await way.client();
	const reply = await way.ask(client, METHOD.allocate, [TRANSPORT_UDP, [ATTRIBUTE.evenPort, Buffer.from([0x80])]]);
	return { client, token: reply.get(ATTRIBUTE.reservationToken), port: decodeAddress(reply.get(ATTRIBUTE.xorRelayedAddress), reply.transaction).port };
}

const shows = (client, token) => client.allocate({ extra: [[ATTRIBUTE.reservationToken, token]] });

async function tokenRow(way) {
	for (let round = 0; round < ROUNDS; round++) {
		const { client, token, port } = await reserving(way);
		const [thief, late] = [await way.client(), await way.client(sameUser(client))];
		const second = await way.client(sameUser(client));
		await way.refused(508, shows(thief, token), 'another user\'s');
		for (let at = 0; at < token.length; at++) await way.refused(508, shows(late, spoiled(token, at)), `byte ${at}`);
		assert.equal((await shows(second, token)).port, port + 1);
		await way.refused(508, shows(late, token), 'used already');
		await second.refresh(0);
		await endsAll(client, thief, late, second);
	}
}

export const relays = [
	{ row: 'F15', what: 'a ticket of another user, and of nobody', over: ALL, run: strangersTicketRow },
	{ row: 'F15', what: 'a ticket that was used, and the old 5-tuple', over: ALL, run: usedTicketRow },
	{ row: 'F15', what: 'a ticket from transport to transport', over: ALL, run: roundRow },
	{ row: 'F17', what: 'a token of another user, of nobody, and one that was used', over: ALL, run: tokenRow },
];
