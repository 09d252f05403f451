// A cluster of its own for a test: free ports, a fresh data directory, `ifswarm up` in the foreground.
// Everything that was started here is ended here, by its process id.
import { execFile, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const source = path.resolve(here, '../../..');
export const bin = path.resolve(process.env.IFSWARM_BIN ?? path.join(source, 'build/bin'));
export { sleep };

// A sanitised build is slower; every deadline of the tests is multiplied by this.
export const patience = Number(process.env.IFSWARM_PATIENCE ?? 1);

// Words that no program of ours may ever say: the traces of a bug.
const BUG = /AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed|Segmentation fault|stack smashing/;

export function temporary(name) {
	return fs.mkdtempSync(path.join(os.tmpdir(), `ifswarm-${name}-`));
}

// The environment of every program: nothing of the caller's own installation may leak in.
function environment(data, extra = {}) {
	const env = { ...process.env, IFSWARM_DATA: data, ...extra };
	for (const key of ['PORT', 'HOST', 'TLS_CERT_PATH', 'TLS_KEY_PATH', 'EXTERNAL_IP', 'TURN_AUTH_SECRET',
		'WITNESS_LOGGER_URL', 'REDIS_URL']) {
		if (!(key in extra)) delete env[key];
	}
	// A killed process leaks by design, and a sandboxed one cannot be traced by the leak checker.
	env.ASAN_OPTIONS ??= 'detect_leaks=0:abort_on_error=1:disable_coredump=1';
	env.UBSAN_OPTIONS ??= 'print_stacktrace=1';
	return env;
}

// Runs a program to its end. Never rejects: { code, signal, out, err, text }. typing: its input stays open.
export function run(program, args, { data = '', env = {}, timeout = 90_000, cwd, typing = false } = {}) {
	return new Promise((resolve) => {
		const child = execFile(program, args, {
			env: environment(data, env), timeout: timeout * patience, killSignal: 'SIGKILL', cwd,
			maxBuffer: 256 * 1024 * 1024,
		}, (error, out, err) => {
			const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0;
			resolve({ code, signal: error?.signal ?? null, out, err, text: out + err });
		});
		if (!typing) child.stdin.end();
	});
}

// Polls until `probe` gives something truthy; the last thing it threw is part of the message.
export async function until(what, probe, limit = 10_000) {
	const end = Date.now() + limit * patience;
	let last;
	for (;;) {
		try {
			const value = await probe();
			if (value) return value;
			last = value;
		} catch (error) {
			last = error;
		}
		if (Date.now() > end) throw new Error(`waited ${limit * patience} ms for ${what} (last: ${last})`);
		await sleep(20);
	}
}

function udpPortIsFree(port, host = '127.0.0.1') {
	return new Promise((resolve) => {
		const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
		socket.once('error', () => resolve(false));
		socket.bind({ port, address: host, exclusive: true }, () => socket.close(() => resolve(true)));
	});
}

function tcpPortIsFree(port, host = '127.0.0.1') {
	return new Promise((resolve) => {
		const server = net.createServer();
		server.once('error', () => resolve(false));
		server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
	});
}

// Every port lies below the kernel's own ephemeral range: there any connection of anybody may have it by the time that a
// cluster wants it. Two files that run at once have a half each: IFSWARM_LANE, 0 or 1. Nothing is given out twice here,
// since it is free until its cluster is up.
const lane = Number(process.env.IFSWARM_LANE ?? 0);

// One port, for HTTP or WebSocket.
const SINGLES = 2_000;
let single = Math.floor(Math.random() * SINGLES);
export async function freePort() {
	for (let tries = 0; tries < SINGLES; tries++) {
		const port = 28_000 + SINGLES * lane + single++ % SINGLES;
		if (await tcpPortIsFree(port)) return port;
	}
	throw new Error('no free port');
}

// A block of relayed ports with the listening ports before it.
const BLOCKS = 35;
const given = new Set(); // [first, end) of blocks, until their cluster is closed
export async function freePorts(relayed = 200) {
	const count = Math.ceil((relayed + 10) / 256);
	for (let tries = 0; tries < 1_000; tries++) {
		const block = Math.floor(Math.random() * (BLOCKS - count + 1));
		if ([...given].some(([from, end]) => block < end && from < block + count)) continue;
		const first = 10_000 + 256 * (BLOCKS * lane + block);
		const probes = [first, first + 10, first + 10 + relayed - 1];
		const range = [block, block + count];
		given.add(range);
		const free = await Promise.all([...probes.map((port) => udpPortIsFree(port)),
			...[first, first + 6].map((port) => tcpPortIsFree(port))]);
		if (free.every(Boolean)) {
			return { ws: await freePort(), turn: first, turns: first + 6, proxied: first + 8, min: first + 10, max: first + 10 + relayed - 1,
				giveBack: () => given.delete(range) };
		}
		given.delete(range);
	}
	throw new Error('no free ports');
}

// Whatever ends this process ends its clusters.
const running = new Set();
process.once('exit', () => { for (const child of running) child.kill('SIGTERM'); });
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(1));

export class Cluster {
	constructor({ data, options = {}, env = {}, ports }) {
		this.data = data;
		this.options = options;
		this.env = env;
		this.ports = ports;
		this.out = '';
		this.err = '';
	}

	get url() { return `${this.options['tls-cert'] ? 'wss' : 'ws'}://127.0.0.1:${this.ports.ws}/`; }
	get http() { return this.url.replace(/^ws/, 'http'); }

	arguments() {
		const all = {
			'data-dir': this.data, port: this.ports.ws, 'claims-port': 0, 'listening-port': this.ports.turn,
			'tls-listening-port': this.ports.turns,
			'min-port': this.ports.min, 'max-port': this.ports.max,
			...('tcp-proxy-from' in this.options ? { 'tcp-proxy-port': this.ports.proxied } : {}), ...this.options,
		};
		return Object.entries(all).flatMap(([key, value]) =>
			[value].flat().flatMap((item) => [`--${key}`, String(item)]));
	}

	// Starts `ifswarm up`; resolves with its `ready ` line, rejects with all it said if it ends before.
	up(limit = 20_000) {
		this.out = '';
		this.err = '';
		this.child = spawn(path.join(bin, 'ifswarm'), ['up', ...this.arguments()], {
			env: environment(this.data, this.env), stdio: ['ignore', 'pipe', 'pipe'], cwd: source,
		});
		const child = this.child;
		running.add(child);
		this.ended = new Promise((resolve) => child.once('exit', (code, signal) => {
			running.delete(child);
			resolve({ code, signal });
		}));
		child.stderr.setEncoding('utf8').on('data', (text) => { this.err += text; });
		return new Promise((resolve, reject) => {
			const timer = setTimeout(() => {
				child.kill('SIGKILL');
				reject(new Error(`not ready after ${limit * patience} ms\n${this.out}${this.err}`));
			}, limit * patience);
			child.stdout.setEncoding('utf8').on('data', (text) => {
				this.out += text;
				const line = this.out.split('\n').find((each, at, all) => each.startsWith('ready ') && at < all.length - 1);
				if (line) {
					clearTimeout(timer);
					resolve(line);
				}
			});
			child.once('error', reject);
			child.once('exit', (code, signal) => {
				clearTimeout(timer);
				reject(new Error(`ifswarm up ended (${code ?? signal}) before it was ready\n${this.out}${this.err}`));
			});
		});
	}

	// As Ctrl-C does. Resolves with { code, signal }.
	async stop(signal = 'SIGINT', limit = 20_000) {
		if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return this.ended;
		const pids = await this.pids().catch(() => []);
		this.child.kill(signal);
		const timer = setTimeout(() => {
			this.hung = true;
			for (const pid of [this.child.pid, ...pids]) kill(pid);
		}, limit * patience);
		const result = await this.ended;
		clearTimeout(timer);
		if (this.hung) throw new Error(`ifswarm up did not stop\n${this.err}`);
		return result;
	}

	// What every test ends with: nothing runs on, nothing said the words of a bug.
	async close() {
		try {
			await this.stop();
			const bug = this.err.split('\n').find((line) => BUG.test(line));
			if (bug) throw new Error(`a program of the cluster said: ${bug}\n${this.err.slice(-8000)}`);
		} finally {
			this.ports.giveBack();
			if (process.env.IFSWARM_KEEP) console.error(`kept ${this.data}`);
			else fs.rmSync(this.data, { recursive: true, force: true });
		}
	}

	// What fails in `part` is told together with what the cluster said last.
	async telling(part) {
		try {
			return await part();
		} catch (error) {
			error.message += `\n--- the cluster's last lines:\n${this.err.slice(-4000)}`;
			throw error;
		}
	}

	ifswarm(...args) { return run(path.join(bin, 'ifswarm'), args, { data: this.data, env: this.env }); }
	ifreplay(...args) { return run(path.join(bin, 'ifreplay'), args, { data: this.data, timeout: 120_000 }); }

	async status() {
		const { code, out, err } = await this.ifswarm('status', '--json');
		if (code !== 0) throw new Error(`status: ${code} ${err}`);
		return JSON.parse(out);
	}

	async pids() { return (await this.status()).actors.map((actor) => actor.pid).filter((pid) => pid > 1); }

	async credential(agent) {
		const { code, out, err } = await this.ifswarm('credential', agent, '--json');
		if (code !== 0) throw new Error(`credential: ${code} ${err}`);
		return JSON.parse(out);
	}

	// The log, or the events of one type: { seq, event (its name), fields: { … }, … }.
	async log(type) {
		const { code, out, err } = await this.ifreplay('log', '--json', ...(type ? ['--type', type] : []));
		if (code !== 0) throw new Error(`ifreplay log: ${code} ${err}`);
		return out.split('\n').filter(Boolean).map((line) => JSON.parse(line));
	}
}

export function kill(pid, signal = 'SIGKILL') {
	try {
		process.kill(pid, signal);
	} catch (error) {
		if (error.code !== 'ESRCH') throw error;
	}
}

// A cluster that is up, with the options given beside the ports.
export async function start(name, options = {}, { env = {}, relayed } = {}) {
	const cluster = new Cluster({ data: path.join(temporary(name), 'var'), options, env, ports: await freePorts(relayed) });
	await cluster.up().catch((error) => {
		cluster.ports.giveBack(); // nobody closes what never was
		throw error;
	});
	return cluster;
}

// One that is not started yet.
export async function prepare(name, options = {}, { env = {}, relayed } = {}) {
	return new Cluster({ data: path.join(temporary(name), 'var'), options, env, ports: await freePorts(relayed) });
}
