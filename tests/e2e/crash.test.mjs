// Death of any process, one after another, under signaling and relay load (DESIGN rule 5): nothing that was
// acknowledged is lost, nothing comes twice, WebSockets stay unless their gateway died, relayed calls go on.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Agent, offer } from './lib/agent.mjs';
import { kill, sleep, start, until } from './lib/cluster.mjs';
import { TurnClient, echoPeer } from './lib/turn.mjs';

const ROUNDS = Number(process.env.IFSWARM_ROUNDS ?? 50);
const AGENTS = 6;
const CALLS = 4;
const VICTIMS = ['witness', 'session', 'allocation', 'relay', 'gateway'];

// Agents that offer to one another without pause. A message says from which connection to which connection
// it goes (an agent's connections are counted) and its number on that way.
class Mesh {
	constructor(cluster) {
		this.cluster = cluster;
		this.agents = [];
		this.sent = new Map(); // way -> count
		this.arrived = new Map(); // way -> numbers in order of arrival
		this.digests = [];
		this.faults = [];
	}

	// A name is free again once its lost connection has been noticed, so this may take some tries.
	async join(at) {
		const life = (this.agents[at]?.life ?? 0) + 1;
		this.agents[at] = await until(`agent-${at} to be in`, async () => {
			const agent = await new Agent(`agent-${at}`).open(this.cluster.url);
			agent.send({ type: 'register', agent_id: agent.name });
			const reply = JSON.parse(await agent.nextText((frame) => frame.type === 'registered' || frame.type === 'error'));
			if (reply.type === 'error') return agent.close().then(() => null);
			agent.all.forEach((text) => this.receive(at, agent, text));
			agent.on('frame', (text) => this.receive(at, agent, text));
			return Object.assign(agent, { life });
		}, 15_000);
	}

	receive(at, agent, text) {
		const frame = text === null ? {} : JSON.parse(text);
		if (frame.type === 'offer') {
			const { way, n } = JSON.parse(frame.offer.sdp);
			if (!this.arrived.has(way)) this.arrived.set(way, []);
			this.arrived.get(way).push(n);
			this.digests.push(createHash('sha256').update(text).digest('hex'));
			if (!way.includes(`>${at}.`)) this.faults.push(`${way} came to ${agent.name}`);
		} else if (frame.type === 'error' && !/not found/.test(frame.message)) {
			this.faults.push(`${agent.name}: ${text}`);
		}
	}

	way(from, to) { return `${from}.${this.agents[from].life}>${to}.${this.agents[to].life}`; }

	sendOne(from, to) {
		if (this.agents[from].closed) return;
		const way = this.way(from, to);
		const n = this.sent.get(way) ?? 0;
		this.sent.set(way, n + 1);
		this.agents[from].send(offer(this.agents[from].name, this.agents[to].name, JSON.stringify({ way, n })));
	}

	async load() {
		for (let tick = 0; !this.stopped; tick++) {
			for (let from = 0; from < AGENTS; from++) this.sendOne(from, (from + 1 + (tick % (AGENTS - 1))) % AGENTS);
			await sleep(10);
		}
	}

	// Connects again whoever lost its gateway.
	async heal() {
		for (let at = 0; at < AGENTS; at++) {
			if (this.agents[at].closed) await this.join(at);
		}
	}

	// Every way between two connections that live has, once and in order, all that went into it until now.
	async settle() {
		const want = [];
		for (let from = 0; from < AGENTS; from++) {
			for (let to = 0; to < AGENTS; to++) {
				if (from !== to && this.sent.has(this.way(from, to))) want.push([this.way(from, to), this.sent.get(this.way(from, to))]);
			}
		}
		await until('every offer between live connections', () => {
			const late = want.find(([way, count]) => (this.arrived.get(way)?.length ?? 0) < count);
			if (late) throw new Error(`${late[0]}: ${this.arrived.get(late[0])?.length ?? 0} of ${late[1]}`);
			return true;
		}, 15_000);
		for (const [way] of want) {
			this.arrived.get(way).forEach((n, at) => assert.equal(n, at, `${way}: order`));
		}
	}
}

// Calls through the relays that send numbered packets to an echo and hear them again.
class Calls {
	async open(cluster) {
		this.peer = await echoPeer();
		this.all = [];
		for (let n = 0; n < CALLS; n++) {
			const credential = await cluster.credential(`caller-${n}`);
			const client = new TurnClient({ port: cluster.ports.turn, username: credential.username, password: credential.credential });
			client.sentPackets = 0;
			client.heard = new Set();
			client.on('data', (payload) => client.heard.add(payload.readUInt32BE(0)));
			await client.allocate();
			await client.bindChannel(0x4000 + n, this.peer);
			this.all.push(client);
		}
		this.requests = this.countRequests();
	}

	countRequests() { return this.all.reduce((sum, client) => sum + client.counts.requests, 0); }

	async load() {
		const payload = Buffer.alloc(160);
		while (!this.stopped) {
			for (const [n, client] of this.all.entries()) {
				payload.writeUInt32BE(client.sentPackets++);
				client.sendChannel(0x4000 + n, Buffer.from(payload));
			}
			await sleep(20);
		}
	}

	sent() { return this.all.map((client) => client.sentPackets); }

	// All that was sent from `first` on comes back.
	async echoed(first, limit = 5_000) {
		const last = this.sent();
		await until('every echo', () => {
			for (const [n, client] of this.all.entries()) {
				for (let at = first[n]; at < last[n]; at++) {
					if (!client.heard.has(at)) throw new Error(`call ${n}: packet ${at} of ${first[n]}..${last[n]} is missing`);
				}
			}
			return true;
		}, limit);
	}

	// Each call hears something it sent from now on.
	async again(limit = 15_000) {
		const first = this.sent();
		await until('each call to go on', () => this.all.every((client, n) => {
			for (let at = first[n]; at < client.sentPackets; at++) if (client.heard.has(at)) return true;
			return false;
		}), limit);
	}
}

describe(`${ROUNDS} rounds of kill -9`, () => {
	let cluster;
	let mesh;
	const calls = new Calls();
	const working = [];
	before(async () => {
		cluster = await start('crash', { gateways: 2, relays: 2, 'allowed-peer-ip': '127.0.0.1' });
		mesh = new Mesh(cluster);
		for (let at = 0; at < AGENTS; at++) await mesh.join(at);
		await calls.open(cluster);
		working.push(mesh.load(), calls.load());
	});
	after(async () => {
		mesh.stopped = true;
		calls.stopped = true;
		await Promise.all(working);
		await Promise.all(mesh.agents.map((agent) => agent.close()));
		await Promise.all([...calls.all.map((client) => client.close()), calls.peer?.close()]);
		await cluster?.close();
	});

	// What is left of a round once its victim is back.
	async function check(kind, lives, first) {
		if (kind === 'gateway') await mesh.heal();
		else assert.deepEqual(mesh.agents.map((agent) => [agent.life, !agent.closed]), lives.map((life) => [life, true]), 'a WebSocket closed');
		await mesh.settle();
		if (kind === 'relay') await calls.again();
		else await calls.echoed(first);
		assert.equal(calls.countRequests(), calls.requests, 'a TURN client had to ask');
		assert.deepEqual(mesh.faults, []);
	}

	for (let round = 0; round < ROUNDS; round++) {
		const kind = VICTIMS[round % VICTIMS.length];
		it(`round ${round + 1}: ${kind}`, () => cluster.telling(async () => {
			const { actors } = await until('every actor to run', async () => {
				const status = await cluster.status();
				return status.actors.every((actor) => actor.state === 'running' || actor.pid <= 1) && status;
			}, 15_000);
			const victims = actors.filter((actor) => actor.name.startsWith(kind));
			const victim = victims[Math.floor(round / VICTIMS.length) % victims.length];
			const lives = mesh.agents.map((agent) => agent.life);
			const first = calls.sent();

			kill(victim.pid);
			await until(`${victim.name} to be back`, async () => {
				const now = (await cluster.status()).actors.find((actor) => actor.name === victim.name);
				return now.pid > 0 && now.pid !== victim.pid && now.restarts > victim.restarts && now.state === 'running';
			}, 15_000);
			await check(kind, lives, first);
		}));
	}

	it('the log verifies, and holds every offer that arrived, once', async () => {
		mesh.stopped = true;
		await Promise.all([working[0]]);
		await mesh.settle();
		const { code, text } = await cluster.ifreplay('verify');
		assert.equal(code, 0, text);
		const log = await cluster.log('sdp_offer_relayed');
		const logged = new Set(log.map((event) => event.fields.digest));
		assert.equal(logged.size, log.length, 'an offer is in the log twice');
		for (const digest of mesh.digests) assert.ok(logged.has(digest), `${digest} arrived but is not in the log`);
		assert.equal(new Set(mesh.digests).size, mesh.digests.length, 'an offer arrived twice');
	});

	it('the calls are still theirs: they refresh and end', async () => {
		for (const client of calls.all) {
			assert.ok(await client.refresh(600) > 0);
			assert.equal(await client.refresh(0), 0);
		}
	});

	it('the log says who died and came back', async () => {
		const names = (await cluster.log()).map((event) => event.event);
		const count = (name) => names.filter((each) => each === name).length;
		const kills = (kinds) => Array.from({ length: ROUNDS }, (_, round) => VICTIMS[round % VICTIMS.length])
			.filter((kind) => kinds.includes(kind)).length;
		assert.ok(count('turn_auto_restarted') >= kills(['relay', 'allocation']));
		assert.ok(count('signaling_auto_restarted') >= kills(['gateway', 'session']));
	});
});
