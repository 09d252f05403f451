// Connections whose first bytes decide: behind a TCP proxy (PROXY protocol version 2), and TLS or plain on one port.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { start, temporary, until } from './lib/cluster.mjs';
import { authority } from './lib/certificates.mjs';
import { TcpTurnClient } from './lib/turn.mjs';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

function header({ command = 0x21, family = 0x11, addresses, tlvs = Buffer.alloc(0) }) {
	const length = Buffer.alloc(2);
	length.writeUInt16BE(addresses.length + tlvs.length);
	return Buffer.concat([SIGNATURE, Buffer.from([command, family]), length, addresses, tlvs]);
}

const CLIENT = '203.0.113.77';
const of = (port) => Buffer.concat([Buffer.from([203, 0, 113, 77, 192, 0, 2, 1]), Buffer.from([port >> 8, port & 255, 13, 150])]);
const PADDING = Buffer.concat([Buffer.from([4, 1, 0]), Buffer.alloc(256)]); // a TLV of type NOOP

// A proxy of ours: puts `first` before what it forwards, and cuts the first `cut` bytes into segments of one.
async function proxy(port, first, cut = 0) {
	const server = net.createServer(async (near) => {
		const far = net.connect({ host: '127.0.0.1', port, noDelay: true });
		for (const [a, b] of [[near, far], [far, near]]) {
			a.on('error', () => {});
			a.on('close', () => b.destroy());
			a.unref();
		}
		far.pipe(near);
		let left = cut;
		const forward = async (bytes) => {
			let rest = bytes;
			for (; left > 0 && rest.length > 0; left--, rest = rest.subarray(1)) {
				await new Promise((resolve) => { far.write(rest.subarray(0, 1), resolve); });
			}
			if (rest.length > 0) far.write(rest);
		};
		try {
			await forward(first);
			for await (const bytes of near) await forward(bytes);
		} catch { /* it closed */ }
	});
	await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
	server.unref();
	return { port: server.address().port, close: () => new Promise((resolve) => { server.close(resolve); }) };
}

// Resolves when the server has closed it.
function closes(port, bytes) {
	const socket = net.connect({ host: '127.0.0.1', port }, () => socket.write(bytes));
	socket.unref();
	socket.on('error', () => {});
	socket.resume();
	return new Promise((resolve) => { socket.once('close', resolve); });
}

describe('first bytes', () => {
	let cluster;
	let secure;
	const directory = temporary('certificates');
	before(async () => {
		const ca = await authority(directory);
		const served = await ca.issue('proxied');
		secure = { ca: fs.readFileSync(ca.ca) };
		cluster = await start('proxy', {
			'turn-tcp': 'yes', 'tls-on-turn-tcp': 'yes', cert: served.cert, pkey: served.key, 'tcp-proxy-from': ['127.0.0.0/8'],
		});
	});
	after(async () => {
		await cluster?.close();
		fs.rmSync(directory, { recursive: true, force: true });
	});

	async function client(name, port, more = {}) {
		const { username, credential: password } = await cluster.credential(name);
		const made = new TcpTurnClient({ port, username, password, ...more });
		await made.ready;
		return made;
	}

	for (const cut of [0, 2000]) {
		const how = cut ? ', byte by byte' : '';
		it(`tells TLS and plain apart on one port${how}`, async () => {
			const between = await proxy(cluster.ports.turn, Buffer.alloc(0), cut);
			const plain = await client('plain', between.port);
			assert.ok((await plain.binding()).port > 0);
			await plain.allocate();
			const sealed = await client('sealed', between.port, { secure });
			await sealed.allocate();
			await Promise.all([plain.close(), sealed.close(), between.close()]);
		});

		it(`takes the client's address from the proxy, for plain and TLS${how}`, async () => {
			for (const [over, port, more] of [['plain', 1001 + cut, {}], ['tls', 1002 + cut, { secure }]]) {
				const between = await proxy(cluster.ports.proxied, header({ addresses: of(port), tlvs: PADDING }), cut);
				const made = await client(`behind-${over}-${cut}`, between.port, more);
				assert.deepEqual(await made.binding(), { address: CLIENT, port });
				await made.allocate();
				assert.deepEqual(made.mapped, { address: CLIENT, port });
				await until('it in the log', async () => (await cluster.log('turn_allocation_created')).some(({ fields }) =>
					fields.client === `${CLIENT}:${port}`));
				await Promise.all([made.close(), between.close()]);
			}
		});
	}

	it('takes IPv6, and the proxy itself', async () => {
		const six = Buffer.concat([Buffer.from('20010db8000000000000000000000007', 'hex'), Buffer.alloc(16), Buffer.from([3, 232, 13, 150])]);
		for (const [first, address] of [[header({ family: 0x21, addresses: six }), '2001:db8:0:0:0:0:0:7'],
			[header({ command: 0x20, family: 0, addresses: Buffer.alloc(0) }), '127.0.0.1']]) {
			const between = await proxy(cluster.ports.proxied, first);
			const made = await client('other', between.port);
			assert.equal((await made.binding()).address, address);
			await Promise.all([made.close(), between.close()]);
		}
	});

	it('closes whatever begins otherwise', async () => {
		for (const bytes of [Buffer.from('000100002112a442000000000000000000000000', 'hex'), Buffer.from('160301', 'hex'),
			'PROXY TCP4 203.0.113.1 192.0.2.1 1000 3478\r\n', header({ family: 0x31, addresses: Buffer.alloc(216) }),
			header({ command: 0x11, addresses: of(7) }), header({ addresses: of(0) }), header({ addresses: of(7), tlvs: Buffer.from([4, 255]) }),
			Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x11, 0xff, 0xff])])]) {
			await closes(cluster.ports.proxied, bytes);
		}
	});
});

describe('a proxy that is not named', () => {
	let cluster;
	before(async () => { cluster = await start('stranger', { 'tcp-proxy-from': ['192.0.2.1'] }); });
	after(() => cluster?.close());

	it('is refused, whatever it says', async () => {
		await closes(cluster.ports.proxied, header({ addresses: of(1000) }));
		await until('the line', () => /came to tcp-proxy-port and from no proxy/.test(cluster.err));
	});
});
