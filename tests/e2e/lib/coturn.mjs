// coturn's own tools: its client, and the peer that sends back what it hears.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { kill, run, until } from './cluster.mjs';

async function echoes(address, port) {
	const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
	socket.on('error', () => {});
	try {
		socket.send('are you there?', port, address);
		await once(socket, 'message', { signal: AbortSignal.timeout(100) });
		return true;
	} finally {
		socket.close();
	}
}

// turnutils_peer, coturn's echo, once it answers; ended by its id.
export async function echoTool(address, port) {
	const child = spawn('turnutils_peer', ['-L', address, '-p', String(port)], { stdio: 'ignore' });
	child.on('error', () => {});
	child.unref();
	await until(`an echo at ${address} port ${port}`, () => echoes(address, port));
	return { address, port, stop: () => kill(child.pid) };
}

// The tool draws its channel numbers from the range of RFC 5766, so its cluster has legacy-channels. Client to client it
// goes by twos: one side may meet, on a port it got again, what an earlier run left behind: another user each time.
// `peer`: { address, port } of an echo, none from client to client.
let runs = 0;
async function runOnce(cluster, { host = '127.0.0.1', port = cluster.ports.turn, peer, flags = [], pairs = false }) {
	const credential = await cluster.credential(`tool-${runs++}`);
	return run('turnutils_uclient', [...(pairs ? [] : ['-c']), '-u', credential.username, '-w', credential.credential,
		'-p', String(port), '-n', '80', '-m', peer ? '1' : '2', '-l', '200', '-z', '5',
		...(peer ? ['-e', peer.address, '-r', String(peer.port)] : []), ...flags, host], { timeout: 60_000 });
}

// It binds a number to each of two peers of an allocation and draws both at random: one time in 16,384 it draws the same
// one twice, which is 400 from any server (RFC 8656, section 12). Such a run says nothing; three in a row do.
export async function uclient(cluster, options) {
	let result;
	for (let tries = 0; tries < 3; tries++) {
		result = await runOnce(cluster, options);
		if (!/channel bind: error 400/.test(result.text)) break;
	}
	return result;
}

export function assertNothingLost(result) {
	assert.equal(result.code, 0, result.text.slice(-2000));
	const [, sent, received] = /: start_mclient: tot_send_msgs=(\d+), tot_recv_msgs=(\d+)/.exec(result.text);
	assert.ok(Number(sent) >= 80, result.text.slice(-2000));
	assert.equal(received, sent);
	assert.match(result.text, /Total lost packets 0 /, result.text.slice(-2000));
}
