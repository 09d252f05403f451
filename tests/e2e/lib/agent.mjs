// A signaling client as deployed ones are: JSON text frames over a WebSocket. It keeps every frame as text,
// because what is relayed must be the sender's bytes.
import { EventEmitter } from 'node:events';
import WebSocket from 'ws';
import { patience } from './cluster.mjs';

export class Agent extends EventEmitter {
	constructor(name) {
		super();
		this.name = name;
		this.frames = []; // not yet taken by next()
		this.all = []; // every frame as text, for good
		this.closed = null;
	}

	open(url, options = {}) {
		this.socket = new WebSocket(url, { rejectUnauthorized: false, ...options });
		this.socket.on('message', (data, binary) => {
			const text = binary ? null : data.toString('utf8');
			this.all.push(text);
			this.frames.push(text);
			this.emit('frame', text);
		});
		this.socket.on('close', (code) => {
			this.closed = { code };
			this.emit('frame', null);
		});
		return new Promise((resolve, reject) => {
			this.socket.once('open', () => resolve(this));
			this.socket.once('error', reject);
			this.socket.on('error', () => {});
		});
	}

	send(message) { this.socket.send(typeof message === 'string' ? message : JSON.stringify(message)); }

	// The next frame that `wanted` holds for, as text; frames before it stay for others to take.
	async nextText(wanted = () => true, limit = 5_000) {
		const end = Date.now() + limit * patience;
		for (;;) {
			const at = this.frames.findIndex((text) => wanted(JSON.parse(text), text));
			if (at >= 0) return this.frames.splice(at, 1)[0];
			const left = end - Date.now();
			if (this.closed) throw new Error(`${this.name}: closed (${this.closed.code}) while waiting`);
			if (left <= 0) throw new Error(`${this.name}: nothing came; kept: ${this.frames.slice(0, 5)}`);
			await new Promise((resolve) => {
				const timer = setTimeout(done, left);
				const self = this;
				function done() {
					clearTimeout(timer);
					self.off('frame', done);
					resolve();
				}
				this.on('frame', done);
			});
		}
	}

	async next(type, limit) { return JSON.parse(await this.nextText((frame) => frame.type === type, limit)); }

	async register(more = {}) {
		this.send({ type: 'register', agent_id: this.name, ...more });
		this.registered = await this.next('registered');
		return this.registered;
	}

	// True if nothing of that type is waiting now.
	has(type) { return this.frames.some((text) => JSON.parse(text).type === type); }

	close() {
		if (this.closed) return Promise.resolve();
		return new Promise((resolve) => {
			this.socket.once('close', resolve);
			this.socket.close();
		});
	}
}

// Connected and registered.
export async function join(url, name, more = {}) {
	const agent = await new Agent(name).open(url);
	await agent.register(more);
	return agent;
}

export const offer = (from, to, sdp) => ({ type: 'offer', from, to, offer: { type: 'offer', sdp } });
export const answer = (from, to, sdp) => ({ type: 'answer', from, to, answer: { type: 'answer', sdp } });
export const candidate = (from, to, line) => ({
	type: 'ice-candidate', from, to, candidate: { candidate: line, sdpMid: '0', sdpMLineIndex: 0 },
});
