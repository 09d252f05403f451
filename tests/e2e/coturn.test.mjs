// coturn's own tools against us: each case here they also pass against coturn 4.6.1, and lose nothing.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { authority } from './lib/certificates.mjs';
import { Cluster, freePorts, run, start, temporary, until } from './lib/cluster.mjs';
import { assertNothingLost, echoTool, uclient } from './lib/coturn.mjs';

const hasIpv6 = Object.values(os.networkInterfaces()).flat().some((each) => each.address === '::1');
const skip = !hasIpv6 && 'no ::1 here';
const directory = temporary('certificates');

const TRANSPORTS = [
	{ name: 'UDP', flags: [], port: 'turn', moves: true },
	{ name: 'TCP', flags: ['-t'], port: 'turn', stream: true },
	{ name: 'TLS', flags: ['-t', '-S'], port: 'turns', stream: true },
	{ name: 'TLS on the port of TCP', flags: ['-t', '-S'], port: 'turn', stream: true },
	{ name: 'DTLS', flags: ['-S'], port: 'turns', moves: true },
];
const HOSTS = ['127.0.0.1', '::1'];
const RELAYED = [
	{ name: 'IPv4', flags: ['-X'], echo: '127.0.0.1' },
	{ name: 'IPv6', flags: ['-x'], echo: '::1' },
	{ name: 'both', flags: ['-Z'], echo: '127.0.0.1', single: true },
];
const WAYS = [
	{ name: 'channels', flags: [] },
	{ name: 'channels in pairs of ports (EVEN-PORT and its token)', flags: [], pairs: true },
	{ name: 'channels with padding, extra requests and DONT-FRAGMENT', flags: ['-D', '-G', '-g'] },
	{ name: 'Send and Data', flags: ['-s', '-G'] },
	{ name: 'channels from client to client', flags: ['-y'], direct: true },
	{ name: 'Send and Data from client to client', flags: ['-y', '-s'], direct: true },
	{ name: 'TCP from client to client (RFC 6062)', flags: ['-T', '-y'], direct: true, overTcp: true },
	{ name: 'channels of a client that moves (RFC 8016)', flags: ['-M'], moves: true },
];
const isAllowed = (transport, relayed, way) =>
	!(relayed.single && (way.pairs || way.overTcp)) && !(way.overTcp && !transport.stream) && !(way.moves && !transport.moves);

// Over DTLS the moving tool may write into the session that it has just left, and ends with "send: Success": against
// coturn, too, and the more often the busier the machine is (six times in a row were seen). Then it is asked again.
const hasLeftTooSoon = (options, { text }) => options.flags.includes('-M') && /^send: Success$/m.test(text);

async function tool(cluster, options) {
	return until('a run in which the tool writes into none of the sessions that it has left', async () => {
		const result = await uclient(cluster, options);
		return hasLeftTooSoon(options, result) ? undefined : result;
	});
}

describe('turnutils_natdiscovery sees no NAT where there is none', () => {
	let cluster;
	before(async () => {
		const ports = await freePorts();
		cluster = new Cluster({
			data: path.join(temporary('nat'), 'var'), env: {}, ports,
			options: { 'listening-ip': ['127.0.0.1', '127.0.0.2'], rfc5780: 'yes', 'alt-listening-port': ports.turns },
		});
		await cluster.up();
	});
	after(() => cluster?.close());
	const discover = async (...flags) => {
		const { code, text } = await run('turnutils_natdiscovery',
			[...flags, '-p', String(cluster.ports.turn), '-L', '127.0.0.1', '127.0.0.1']);
		assert.equal(code, 0, text);
		assert.doesNotMatch(text, /Not received|error/i, text);
		return text;
	};

	it('mapping', async () => assert.match(await discover('-m'), /NAT with Endpoint Independent Mapping|No NAT/i));
	it('filtering', async () => assert.match(await discover('-f'), /Endpoint Independent Filtering/i));
	it('mapping, with padding', async () => assert.match(await discover('-m', '-P'), /NAT with Endpoint Independent Mapping|No NAT/i));
	it('the lifetime of a mapping, through RESPONSE-PORT', async () => { await discover('-t', '-T', '1'); });
	it('hairpinning', async () => { await discover('-H'); });
	it('collisions', async () => { await discover('-c', '-A', '127.0.0.3'); });
});

describe('turnutils_uclient loses nothing', { concurrency: 16 }, () => {
	let cluster;
	const echoes = {};
	before(async () => {
		const { cert, key } = await (await authority(directory)).issue('tool');
		cluster = await start('tool', {
			cert, pkey: key, 'turn-tcp': 'yes', 'tls-on-turn-tcp': 'yes', 'allowed-peer-ip': HOSTS, 'legacy-channels': 'yes',
			mobility: 'yes',
		}, { relayed: 3000 });
		echoes['127.0.0.1'] = await echoTool('127.0.0.1', cluster.ports.turn + 2);
		if (hasIpv6) echoes['::1'] = await echoTool('::1', cluster.ports.turn + 4);
	});
	after(async () => {
		for (const echo of Object.values(echoes)) echo.stop();
		await cluster?.close();
		fs.rmSync(directory, { recursive: true, force: true });
	});

	for (const transport of TRANSPORTS) {
		for (const host of HOSTS) {
			for (const relayed of RELAYED) {
				for (const way of WAYS.filter((each) => isAllowed(transport, relayed, each))) {
					const six = host === '::1' || relayed.name !== 'IPv4';
					it(`over ${transport.name} to ${host}, relayed by ${relayed.name}: ${way.name}`, { skip: six && skip }, async () =>
						assertNothingLost(await tool(cluster, {
							host, port: cluster.ports[transport.port], pairs: way.pairs, peer: way.direct ? undefined : echoes[relayed.echo],
							flags: [...transport.flags, ...relayed.flags, ...way.flags],
						})));
				}
			}
		}
	}
});
