// What RFC 8656 and its companions have beyond plain relaying, over the wire: two families in one allocation.
import assert from 'node:assert/strict';
import os from 'node:os';
import { after, before, describe, it } from 'node:test';
import { kill, start, until } from './lib/cluster.mjs';
import { assertNothingLost, echoTool, uclient } from './lib/coturn.mjs';
import { ATTRIBUTE, METHOD, TurnClient, decodeAddress, echoPeer } from './lib/turn.mjs';

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

	it('loses nothing of turnutils_uclient -Z', async () => {
		const peer = await echoTool('127.0.0.1', cluster.ports.turn + 2);
		const peer6 = await echoTool('::1', cluster.ports.turn + 4);
		try {
			assertNothingLost(await uclient(cluster, { peer, flags: ['-Z'] }));
			assertNothingLost(await uclient(cluster, { peer, flags: ['-Z', '-s'] }));
			assertNothingLost(await uclient(cluster, { host: '::1', peer: peer6, flags: ['-Z'] }));
			assertNothingLost(await uclient(cluster, { flags: ['-Z', '-y'] }));
		} finally {
			peer.stop();
			peer6.stop();
		}
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
