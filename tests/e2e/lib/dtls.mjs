// A TURN client over DTLS: the messages are ours, the DTLS is openssl's. It stands behind a tap, which keeps what it
// says apart: `openssl s_client` makes one record of what it reads at once, so a message is written when the record of
// the one before has passed. So one message is one record, and an end is heard as it is over TCP.
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { TurnClient } from './turn.mjs';

const APPLICATION_DATA = 0x17;

export class DtlsTurnClient extends TurnClient {
	constructor(options) {
		super(options); // whose socket is the tap's side towards the server
		this.got = Buffer.alloc(0);
		this.queue = Promise.resolve();
		this.socket.removeAllListeners('message');
		this.outside = dgram.createSocket('udp4').unref();
		this.outside.on('error', () => {});
		this.outside.on('message', (bytes, from) => this.up(bytes, from));
		this.closed = new Promise((resolve) => { this.over = resolve; });
		const bound = this.ready;
		this.ready = new Promise((resolve) => this.outside.bind(0, '127.0.0.1', resolve)).then(() => bound).then(() => this.begin());
	}

	begin() {
		const { port } = this.outside.address();
		this.child = spawn('openssl', ['s_client', '-dtls1_2', '-quiet', '-no_ign_eof', '-nocommands', '-connect', `127.0.0.1:${port}`],
			{ stdio: ['pipe', 'pipe', 'ignore'] });
		this.child.unref();
		for (const stream of [this.child.stdin, this.child.stdout]) stream.unref?.();
		this.child.stdin.on('error', () => {});
		this.child.stdout.on('data', (bytes) => this.gather(bytes));
		this.child.once('exit', () => this.over());
		this.socket.on('message', (bytes) => this.outside.send(bytes, this.from.port, this.from.address));
	}

	up(bytes, from) {
		this.from = from;
		this.socket.send(bytes, this.server.port, this.server.host);
		if (bytes[0] === APPLICATION_DATA) this.passed?.();
	}

	// Messages come one after another; ChannelData is not padded, a STUN message is as long as it says.
	gather(bytes) {
		this.got = Buffer.concat([this.got, bytes]);
		while (this.got.length >= 4) {
			const size = ((this.got[0] & 0xc0) === 0x40 ? 4 : 20) + this.got.readUInt16BE(2);
			if (this.got.length < size) return;
			const message = this.got.subarray(0, size);
			this.got = this.got.subarray(size);
			this.receive(message);
		}
	}

	send(packet) {
		const sent = this.queue.then(() => Promise.race([this.closed, new Promise((resolve) => {
			this.passed = resolve;
			this.child.stdin.write(packet);
		})]));
		this.queue = sent;
		return sent;
	}

	// As who ends orderly: openssl says close_notify when its input ends.
	async close() {
		this.child.stdin.end();
		await this.closed;
		await Promise.all([this.socket, this.outside].map((socket) => new Promise((resolve) => socket.close(resolve))));
	}
}
