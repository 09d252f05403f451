// The load generator of bench/ against a cluster: many packets, single and in runs, of which the log has every byte; and all
// ports there are, taken and given back.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { bin, run, start, until } from './lib/cluster.mjs';

const generator = path.join(bin, '../bench/turn_load_bench');
const PORTS = 60;

// What it printed: { key: number }. It fails by itself if a packet came that is not as it was sent.
async function load(cluster, ...options) {
	const { username, credential } = await cluster.credential('load');
	const result = await run(generator, ['--server', `127.0.0.1:${cluster.ports.turn}`, '--user', username, '--password', credential,
		'--pid', String(cluster.child.pid), '--window', '64', ...options.map(String)], { timeout: 240_000 });
	assert.equal(result.code, 0, result.text);
	return Object.fromEntries([...result.out.matchAll(/(\w+)=([0-9.]+)/g)].map(([, key, value]) => [key, Number(value)]));
}

describe('load', () => {
	let cluster;
	before(async () => {
		cluster = await start('load', {
			'listening-ip': '127.0.0.1', 'allowed-peer-ip': '127.0.0.0/8', 'user-quota': 0, 'usage-interval': 1,
		}, { relayed: PORTS });
	});
	after(() => cluster?.close());

	it('says how many allocations fit', () => {
		assert.match(cluster.err, new RegExp(`allocations that fit: ${PORTS}, buffers [1-9][0-9]* bytes in, [1-9][0-9]* out`));
	});

	it('relays single packets and runs, both ways, and logs every one', async () => {
		const sums = { packets_up: 0, bytes_up: 0, packets_down: 0, bytes_down: 0 };
		for (const way of [['--burst', 1], ['--burst', 16], ['--burst', 16, '--gso']]) {
			for (const bytes of [17, 172, 1200]) {
				const seen = await load(cluster, '--allocations', 20, '--bytes', bytes, '--echo', '--seconds', 0.5, ...way);
				assert.ok(seen.peer_packets > 0);
				sums.packets_up += seen.peer_packets;
				sums.bytes_up += seen.peer_bytes;
				sums.packets_down += seen.echo_packets;
				sums.bytes_down += seen.echo_bytes;
			}
		}
		await until('all usage is logged', async () => {
			const events = await cluster.log('turn_relay_usage');
			const logged = Object.fromEntries(Object.keys(sums).map((key) => [key, events.reduce((sum, event) => sum + event.fields[key], 0)]));
			return Object.keys(sums).every((key) => logged[key] === sums[key]);
		}, 20_000);
	});

	it('takes all ports there are, frees them, and has as many each time (threat_D10)', async () => {
		const filled = await load(cluster, '--allocations', PORTS + 10, '--fill', 20);
		assert.equal(filled.rounds, 20);
		assert.equal(filled.least, PORTS);
		assert.equal(filled.most, PORTS);
	});
});
