// coturn's own tools against us: each case here they also pass against coturn 4.6.1, and lose nothing.
import fs from 'node:fs';
import os from 'node:os';
import { after, before, describe, it } from 'node:test';
import { authority } from './lib/certificates.mjs';
import { start, temporary } from './lib/cluster.mjs';
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
	{ name: 'channels with padding and extra requests', flags: ['-D', '-G'] },
	{ name: 'Send and Data', flags: ['-s', '-G'] },
	{ name: 'channels from client to client', flags: ['-y'], direct: true },
	{ name: 'Send and Data from client to client', flags: ['-y', '-s'], direct: true },
	{ name: 'TCP from client to client (RFC 6062)', flags: ['-T', '-y'], direct: true, overTcp: true },
	{ name: 'channels of a client that moves (RFC 8016)', flags: ['-M'], moves: true },
];
const isAllowed = (transport, relayed, way) =>
	!(relayed.single && (way.pairs || way.overTcp)) && !(way.overTcp && !transport.stream) && !(way.moves && !transport.moves);

// Over DTLS the moving tool may write into the session that it has just left, and ends with "send: Success": against
// coturn, too. Then it is asked again.
async function tool(cluster, options) {
	let result = await uclient(cluster, options);
	for (let tries = 0; tries < 5 && options.flags.includes('-M') && /^send: Success$/m.test(result.text); tries++) {
		result = await uclient(cluster, options);
	}
	return result;
}

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
