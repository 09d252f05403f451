// A small TURN client over UDP (RFC 8489, RFC 8656): long-term credentials, Allocate, Refresh,
// CreatePermission, ChannelBind, ChannelData, Send and Data. It checks every reply's MESSAGE-INTEGRITY.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import dgram from 'node:dgram';
import net from 'node:net';
import tls from 'node:tls';
import { EventEmitter } from 'node:events';
import { patience } from './cluster.mjs';

const COOKIE = 0x2112a442;
export const METHOD = { binding: 1, allocate: 3, refresh: 4, send: 6, data: 7, createPermission: 8, channelBind: 9,
	connect: 10, connectionBind: 11, connectionAttempt: 12 };
const CHALLENGES = [401, 438]; // which no copy of the same request can overcome
export const CLASS = { request: 0, indication: 1, success: 2, error: 3 };
export const ATTRIBUTE = {
	username: 0x0006, messageIntegrity: 0x0008, errorCode: 0x0009, channelNumber: 0x000c, lifetime: 0x000d,
	xorPeerAddress: 0x0012, data: 0x0013, realm: 0x0014, nonce: 0x0015, xorRelayedAddress: 0x0016,
	requestedAddressFamily: 0x0017, evenPort: 0x0018, requestedTransport: 0x0019, dontFragment: 0x001a,
	xorMappedAddress: 0x0020, connectionId: 0x002a, additionalAddressFamily: 0x8000, addressErrorCode: 0x8001,
	software: 0x8022, fingerprint: 0x8028, mobilityTicket: 0x8030, icmp: 0x8004, changeRequest: 0x0003,
	unknownAttributes: 0x000a, messageIntegritySha256: 0x001c, passwordAlgorithm: 0x001d, userhash: 0x001e,
	reservationToken: 0x0022, padding: 0x0026, responsePort: 0x0027, passwordAlgorithms: 0x8002,
};

const typeOf = (method, kind) =>
	(method & 0xf) | ((method & 0x70) << 1) | ((method & 0xf80) << 2) | ((kind & 1) << 4) | ((kind & 2) << 7);
const methodOf = (type) => (type & 0xf) | ((type >> 1) & 0x70) | ((type >> 2) & 0xf80);
const classOf = (type) => ((type >> 4) & 1) | ((type >> 7) & 2);

function addressBytes(host) {
	if (!host.includes(':')) return Buffer.from(host.split('.').map(Number));
	const [head, tail] = host.split('::');
	const left = head ? head.split(':') : [];
	const right = tail ? tail.split(':') : [];
	const fill = host.includes('::') ? Array(8 - left.length - right.length).fill('0') : [];
	const out = Buffer.alloc(16);
	[...left, ...fill, ...right].forEach((word, at) => out.writeUInt16BE(parseInt(word, 16), at * 2));
	return out;
}

function addressMask(transaction) {
	const mask = Buffer.alloc(16);
	mask.writeUInt32BE(COOKIE, 0);
	transaction.copy(mask, 4);
	return mask;
}

export function encodeAddress({ address, port }, transaction) {
	const bytes = addressBytes(address);
	const mask = addressMask(transaction);
	const out = Buffer.alloc(4 + bytes.length);
	out[1] = bytes.length === 4 ? 1 : 2;
	out.writeUInt16BE(port ^ (COOKIE >>> 16), 2);
	bytes.forEach((byte, at) => { out[4 + at] = byte ^ mask[at]; });
	return out;
}

export function decodeAddress(value, transaction) {
	const mask = addressMask(transaction);
	const bytes = value.subarray(4).map((byte, at) => byte ^ mask[at]);
	const port = value.readUInt16BE(2) ^ (COOKIE >>> 16);
	if (value[1] === 1) return { address: [...bytes].join('.'), port };
	const words = [];
	for (let at = 0; at < 16; at += 2) words.push(((bytes[at] << 8) | bytes[at + 1]).toString(16));
	const plain = words.join(':');
	return { address: plain === '0:0:0:0:0:0:0:1' ? '::1' : plain, port };
}

function attributeBytes([type, value]) {
	const out = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
	out.writeUInt16BE(type, 0);
	out.writeUInt16BE(value.length, 2);
	value.copy(out, 4);
	return out;
}

// attributes: [[type, Buffer] …]; key: adds MESSAGE-INTEGRITY.
export function encode(method, kind, transaction, attributes, key) {
	const body = Buffer.concat(attributes.map(attributeBytes));
	const header = Buffer.alloc(20);
	header.writeUInt16BE(typeOf(method, kind), 0);
	header.writeUInt32BE(COOKIE, 4);
	transaction.copy(header, 8);
	header.writeUInt16BE(body.length, 2);
	const bare = Buffer.concat([header, body]);
	return key ? sign(bare, key) : bare;
}

// A message with MESSAGE-INTEGRITY (sha1) or MESSAGE-INTEGRITY-SHA256 behind it, or some other value there.
export function sign(packet, key, hash = 'sha1', spoil = (mac) => mac) {
	const copy = Buffer.from(packet);
	copy.writeUInt16BE(packet.length - 20 + (hash === 'sha1' ? 24 : 36), 2);
	const value = spoil(createHmac(hash, key).update(copy).digest());
	const type = hash === 'sha1' ? ATTRIBUTE.messageIntegrity : ATTRIBUTE.messageIntegritySha256;
	const whole = Buffer.concat([copy, attributeBytes([type, value])]);
	whole.writeUInt16BE(whole.length - 20, 2);
	return whole;
}

export function decode(packet) {
	if (packet.length < 20 || packet[0] & 0xc0 || packet.readUInt32BE(4) !== COOKIE) return null;
	const length = packet.readUInt16BE(2);
	if (length !== packet.length - 20 || length % 4 !== 0) throw new Error('a reply with a wrong length');
	const type = packet.readUInt16BE(0);
	const message = {
		method: methodOf(type), class: classOf(type), transaction: packet.subarray(8, 20), attributes: [], packet,
	};
	for (let at = 20; at < packet.length;) {
		const size = packet.readUInt16BE(at + 2);
		message.attributes.push({ type: packet.readUInt16BE(at), value: packet.subarray(at + 4, at + 4 + size), at });
		at += 4 + Math.ceil(size / 4) * 4;
	}
	message.get = (wanted) => message.attributes.find((each) => each.type === wanted)?.value;
	const error = message.get(ATTRIBUTE.errorCode);
	message.code = error ? (error[2] & 7) * 100 + error[3] : 0;
	return message;
}

// True if the message's MESSAGE-INTEGRITY is there and right.
export function verify(message, key) {
	const found = message.attributes.find((each) => each.type === ATTRIBUTE.messageIntegrity);
	if (!found) return false;
	const copy = Buffer.from(message.packet.subarray(0, found.at));
	copy.writeUInt16BE(found.at + 24 - 20, 2);
	return timingSafeEqual(createHmac('sha1', key).update(copy).digest(), found.value);
}

export const u32 = (value) => {
	const out = Buffer.alloc(4);
	out.writeUInt32BE(value);
	return out;
};

export class TurnError extends Error {
	constructor(what, message) {
		super(`${what}: ${message.code}`);
		this.code = message.code;
		this.reply = message;
	}
}

// Emits 'data' (payload, { channel } or { peer }) for everything a peer sent, and 'heard' (packet) for everything at all.
export class TurnClient extends EventEmitter {
	constructor({ host = '127.0.0.1', port, local = host, username, password }) {
		super();
		this.server = { host, port };
		this.username = username;
		this.password = password;
		this.waiting = new Map();
		this.asked = new Set(); // transactions
		this.counts = { requests: 0 };
		this.socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
		this.socket.on('message', (packet) => this.receive(packet));
		this.socket.on('error', () => {});
		this.socket.unref(); // a failed test must not keep the process
		this.ready = new Promise((resolve) => this.socket.bind({ port: 0, address: local }, resolve));
	}

	receive(packet) {
		this.emit('heard', packet);
		if (packet.length >= 4 && (packet[0] & 0xc0) === 0x40) {
			const size = packet.readUInt16BE(2);
			this.emit('data', packet.subarray(4, 4 + size), { channel: packet.readUInt16BE(0) });
			return;
		}
		const message = decode(packet);
		if (!message) return;
		if (message.class === CLASS.indication && message.method === METHOD.data) {
			const peer = decodeAddress(message.get(ATTRIBUTE.xorPeerAddress), message.transaction);
			const icmp = message.get(ATTRIBUTE.icmp);
			if (icmp) this.emit('icmp', { type: icmp[2] >> 1, code: icmp[3], peer });
			else this.emit('data', message.get(ATTRIBUTE.data), { peer });
			return;
		}
		if (message.class === CLASS.indication && message.method === METHOD.connectionAttempt) {
			this.emit('attempt', message.get(ATTRIBUTE.connectionId),
				decodeAddress(message.get(ATTRIBUTE.xorPeerAddress), message.transaction));
			return;
		}
		this.waiting.get(message.transaction.toString('hex'))?.(message);
	}

	send(packet) {
		return new Promise((resolve) => this.socket.send(packet, this.server.port, this.server.host, resolve));
	}

	// As they are: over a stream send pads.
	raw(bytes) { return this.send(bytes); }

	// Over datagrams a request is sent again; over a stream its bytes would come twice (RFC 8489 section 6.2.2).
	get repeats() { return true; }

	// Sends until it is answered, as RFC 8489 does but more often; one transaction id for all copies. A server keeps
	// nothing of what it refused: a copy that is still on its way may succeed. So a refusal counts when none is left.
	async transact(packet, limit = 8_000) {
		await this.ready;
		const id = packet.subarray(8, 20).toString('hex');
		const answers = [];
		let came;
		const another = (wait) => new Promise((resolve) => {
			const timer = setTimeout(resolve, wait);
			came = () => {
				clearTimeout(timer);
				resolve();
			};
		});
		this.asked.add(id);
		this.waiting.set(id, (message) => {
			answers.push(message);
			came?.();
		});
		try {
			const end = Date.now() + limit * patience;
			let copies = 0;
			for (let wait = 200; answers.length === 0; wait = Math.min(wait * 2, 800)) {
				if (Date.now() >= end) throw new Error('no reply');
				copies++;
				this.counts.requests++;
				await this.send(packet);
				if (answers.length === 0) await another(this.repeats ? wait : end - Date.now());
			}
			// A copy that came while the first was being decided has no answer of its own.
			const last = Date.now() + 1_000 * patience;
			const isFinal = (reply) => reply.class === CLASS.success || CHALLENGES.includes(reply.code);
			while (answers.length < copies && !answers.some(isFinal) && Date.now() < last) await another(last - Date.now());
			return answers.find((reply) => reply.class === CLASS.success) ?? answers[0];
		} finally {
			this.waiting.delete(id);
		}
	}

	get key() {
		return createHash('md5').update(`${this.username}:${this.realm}:${this.password}`).digest();
	}

	// With the realm and nonce known from the last challenge; a challenge (401, 438) is answered once each.
	async request(what, method, attributes, limit) {
		for (let challenges = 0; ; challenges++) {
			const transaction = randomBytes(12);
			const made = attributes(transaction);
			const known = this.nonce !== undefined;
			if (known) {
				made.push([ATTRIBUTE.username, Buffer.from(this.username)], [ATTRIBUTE.realm, Buffer.from(this.realm)],
					[ATTRIBUTE.nonce, this.nonce]);
			}
			const reply = await this.transact(encode(method, CLASS.request, transaction, made, known && this.key), limit);
			if (reply.class === CLASS.success) {
				if (!verify(reply, this.key)) throw new Error(`${what}: a success without a right MESSAGE-INTEGRITY`);
				return reply;
			}
			const challenged = (reply.code === 401 && !known) || reply.code === 438;
			if (!challenged || challenges > 2) throw new TurnError(what, reply);
			this.realm = (reply.get(ATTRIBUTE.realm) ?? Buffer.from(this.realm)).toString();
			this.nonce = Buffer.from(reply.get(ATTRIBUTE.nonce));
		}
	}

	async binding() {
		const transaction = randomBytes(12);
		const reply = await this.transact(encode(METHOD.binding, CLASS.request, transaction, []));
		return decodeAddress(reply.get(ATTRIBUTE.xorMappedAddress), transaction);
	}

	async allocate({ lifetime, transport = 17, extra = [] } = {}) {
		const reply = await this.request('Allocate', METHOD.allocate, () => [
			[ATTRIBUTE.requestedTransport, Buffer.from([transport, 0, 0, 0])],
			...(lifetime === undefined ? [] : [[ATTRIBUTE.lifetime, u32(lifetime)]]), ...extra,
		]);
		this.relayed = decodeAddress(reply.get(ATTRIBUTE.xorRelayedAddress), reply.transaction);
		this.mapped = decodeAddress(reply.get(ATTRIBUTE.xorMappedAddress), reply.transaction);
		this.lifetime = reply.get(ATTRIBUTE.lifetime).readUInt32BE(0);
		return this.relayed;
	}

	async refresh(lifetime) {
		const reply = await this.request('Refresh', METHOD.refresh, () => [[ATTRIBUTE.lifetime, u32(lifetime)]]);
		return reply.get(ATTRIBUTE.lifetime).readUInt32BE(0);
	}

	permit(...peers) {
		return this.request('CreatePermission', METHOD.createPermission, (transaction) =>
			peers.map((peer) => [ATTRIBUTE.xorPeerAddress, encodeAddress({ port: 0, ...peer }, transaction)]));
	}

	bindChannel(channel, peer) {
		return this.request('ChannelBind', METHOD.channelBind, (transaction) => [
			[ATTRIBUTE.channelNumber, u32(channel * 65536)],
			[ATTRIBUTE.xorPeerAddress, encodeAddress(peer, transaction)],
		]);
	}

	sendChannel(channel, payload) {
		const header = Buffer.alloc(4);
		header.writeUInt16BE(channel, 0);
		header.writeUInt16BE(payload.length, 2);
		return this.send(Buffer.concat([header, payload]));
	}

	sendIndication(peer, payload) {
		const transaction = randomBytes(12);
		return this.send(encode(METHOD.send, CLASS.indication, transaction, [
			[ATTRIBUTE.xorPeerAddress, encodeAddress(peer, transaction)], [ATTRIBUTE.data, payload],
		]));
	}

	close() { return new Promise((resolve) => this.socket.close(resolve)); }
}

// The same over TCP: `cut` bytes at a time, all at once if it is 0. secure: over TLS, with these options of tls.connect.
export class TcpTurnClient extends TurnClient {
	constructor({ host = '127.0.0.1', port, local = host, cut = 0, secure, ...rest }) {
		super({ host, port, local, ...rest });
		const unused = this.socket;
		this.ready.then(() => unused.close());
		this.cut = cut;
		this.got = Buffer.alloc(0);
		this.socket = secure ? tls.connect({ host, port, localAddress: local, ...secure })
			: net.connect({ host, port, localAddress: local, noDelay: true });
		this.socket.on('data', (bytes) => this.gather(bytes));
		this.socket.on('error', () => {});
		this.socket.unref();
		this.closed = new Promise((resolve) => this.socket.once('close', resolve));
		this.ready = new Promise((resolve) => this.socket.once(secure ? 'secureConnect' : 'connect', resolve));
	}

	gather(bytes) {
		this.got = Buffer.concat([this.got, bytes]);
		for (;;) {
			if (this.bound) {
				const rest = this.got;
				this.got = Buffer.alloc(0);
				if (rest.length > 0) this.emit('bytes', rest);
				return;
			}
			if (this.got.length < 4) return;
			const isChannel = (this.got[0] & 0xc0) === 0x40;
			const size = (isChannel ? 4 : 20) + Math.ceil(this.got.readUInt16BE(2) / 4) * 4;
			if (this.got.length < size) return;
			const message = this.got.subarray(0, size);
			this.got = this.got.subarray(size);
			// What comes behind the success of a ConnectionBind is the peer's (RFC 6062 section 4.4).
			const said = decode(message);
			this.bound = said?.method === METHOD.connectionBind && said.class === CLASS.success;
			this.receive(message);
		}
	}

	// RFC 6062: the CONNECTION-ID of a connection to that peer, a Buffer.
	async connect(peer, limit) {
		const reply = await this.request('Connect', METHOD.connect, (transaction) => [
			[ATTRIBUTE.xorPeerAddress, encodeAddress(peer, transaction)]], limit);
		return Buffer.from(reply.get(ATTRIBUTE.connectionId));
	}

	// From here on this connection carries the peer's bytes: 'bytes' and write.
	connectionBind(id) {
		return this.request('ConnectionBind', METHOD.connectionBind, () => [[ATTRIBUTE.connectionId, id]]);
	}

	get repeats() { return false; }

	write(bytes) { return new Promise((resolve) => this.socket.write(bytes, resolve)); }

	raw(bytes) { return this.write(bytes); }

	async send(packet) {
		const padded = Buffer.concat([packet, Buffer.alloc((4 - packet.length % 4) % 4)]);
		const step = this.cut || padded.length;
		for (let at = 0; at < padded.length; at += step) {
			await this.write(padded.subarray(at, at + step));
		}
	}

	close() {
		this.socket.destroy();
		return this.closed;
	}
}

// A peer that sends everything back. { address, port, received, close }
export function echoPeer(host = '127.0.0.1') {
	return new Promise((resolve) => {
		const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
		const peer = { received: 0, bytes: 0, close: () => new Promise((done) => socket.close(done)) };
		socket.on('message', (packet, from) => {
			peer.received++;
			peer.bytes += packet.length;
			socket.send(packet, from.port, from.address);
		});
		socket.bind({ port: 0, address: host }, () => {
			socket.setRecvBufferSize(1 << 20);
			socket.unref();
			Object.assign(peer, { address: host, port: socket.address().port });
			resolve(peer);
		});
	});
}
