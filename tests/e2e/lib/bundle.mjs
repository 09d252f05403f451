// Export bundles in an attacker's hands (docs/bundle.md): those that `ifreplay export` made, and others made here over a
// log that never was; every file as bytes, every signature by whatever key, the tar with whatever headers.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

export const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), crypto.createHash('sha256')).digest();
const leafHash = (entry) => sha256(Buffer.from([0]), entry);
const nodeHash = (left, right) => sha256(Buffer.from([1]), left, right);
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

// A signing key from a seed, or from one repeated byte, with its C2SP name.
export function signer(name, seed) {
	const key = crypto.createPrivateKey({ key: Buffer.concat([PKCS8, Buffer.alloc(32, seed)]), format: 'der', type: 'pkcs8' });
	const raw = Buffer.concat([Buffer.from([1]), crypto.createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)]);
	const id = sha256(`${name}\n`, raw).subarray(0, 4);
	return {
		vkey: `${name}+${id.toString('hex')}+${raw.toString('base64')}`,
		sign: (bytes) => crypto.sign(null, Buffer.from(bytes), key),
		note(text) {
			return `${text}\n\u2014 ${name} ${Buffer.concat([id, this.sign(text)]).toString('base64')}\n`;
		},
	};
}

const split = (width) => 2 ** (Math.ceil(Math.log2(width)) - 1);

// A log in memory: leaves, and the checkpoint that its key gives of any size.
export class Log {
	constructor(entries, origin, key) {
		Object.assign(this, { entries, origin, key, leaves: entries.map(leafHash), roots: new Map() });
	}

	root(from, end) {
		if (end - from === 1) return this.leaves[from];
		const name = `${from}-${end}`;
		if (!this.roots.has(name)) {
			const middle = from + split(end - from);
			this.roots.set(name, nodeHash(this.root(from, middle), this.root(middle, end)));
		}
		return this.roots.get(name);
	}

	checkpoint(size) {
		return this.key.note(`${this.origin}\n${size}\n${this.root(0, size).toString('base64')}\n`);
	}

	inclusion(seq, from, end) {
		if (end - from === 1) return [];
		const middle = from + split(end - from);
		return seq < middle ? [...this.inclusion(seq, from, middle), this.root(middle, end)]
			: [...this.inclusion(seq, middle, end), this.root(from, middle)];
	}

	consistency(old, from, end, whole = true) {
		if (old === end) return whole ? [] : [this.root(from, end)];
		const middle = from + split(end - from);
		return old <= middle ? [...this.consistency(old, from, middle, whole), this.root(middle, end)]
			: [...this.consistency(old, middle, end, false), this.root(from, middle)];
	}

	outside(first, last, from, end) {
		if (end <= first || from >= last) return [this.root(from, end)];
		if (end - from === 1) return [];
		const middle = from + split(end - from);
		return [...this.outside(first, last, from, middle), ...this.outside(first, last, middle, end)];
	}
}

export function tilePath(level, index, width) {
	const digits = [String(index % 1000).padStart(3, '0')];
	for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
		digits.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
	}
	return `log/tile/${level}/${digits.join('/')}${width < 256 ? `.p/${width}` : ''}`;
}

const integer = (value) => {
	if (value < 0x80) return Buffer.from([value]);
	if (value < 0x100) return Buffer.from([0xcc, value]);
	if (value < 0x10000) return Buffer.from([0xcd, value >> 8, value & 255]);
	const eight = Buffer.alloc(9, 0xcf);
	eight.writeBigUInt64BE(BigInt(value), 1);
	return value < 2 ** 32 ? Buffer.concat([Buffer.from([0xce]), eight.subarray(5)]) : eight;
};
const bin16 = (bytes) => Buffer.concat([Buffer.from([0xc4, 16]), bytes]);

// An entry of no meaning, in the canonical form of EVIDENCE section 1; `sealed`: ready parts.
export function makeEntry(seq, sealed = []) {
	const body = sealed.map(({ salt, body: bytes }) => Buffer.concat([Buffer.from([0x94]), bin16(Buffer.alloc(16, 1)),
		bin16(Buffer.alloc(16, 2)), integer(bytes.length), Buffer.from([0xc4, 32]), sha256('ifswarm/sealed/v1', salt, bytes)]));
	return Buffer.concat([Buffer.from([0x9f]), ...[1, seq, 1_700_000_000_000_000 + seq, 1_700_000_000_000_000 + seq, 1, seq, 1, 3, 1].map(integer),
		bin16(sha256(`command ${seq}`).subarray(0, 16)), Buffer.from([0xc0]), seq > 0 && seq % 5 === 0 ? integer(seq - 1) : Buffer.from([0xc0]),
		Buffer.from([0x92, 0x07, 0xa1, 0x78]), Buffer.from([0x90 + sealed.length]), ...body, bin16(sha256(`nonce ${seq}`).subarray(0, 16))]);
}

// The elements of an entry that a table repeats.
function columns(entry) {
	let at = 1;
	const next = () => {
		const byte = entry[at++];
		if (byte < 0x80) return byte;
		if (byte === 0xc0) return null;
		if (byte === 0xc4) { at += 17; return entry.subarray(at - 16, at).toString('hex'); }
		const width = 1 << (byte - 0xcc);
		at += width;
		return Number(BigInt(`0x${entry.subarray(at - width, at).toString('hex')}`));
	};
	const [, , recorded_us, occurred_us, stream, stream_version, epoch, type, type_version, command_id, trace_id, cause] = Array.from({ length: 12 }, next);
	return { recorded_us, occurred_us, stream, stream_version, epoch, type, type_version, command_id, trace_id, cause };
}

const lines = (rows) => rows.map((row) => `${row}\n`).join('');
const spread = (value) => `${JSON.stringify(value, Object.keys(value).sort(), 1)}\n`;
const UNLISTED = /^(SHA256SUMS|manifest\.json(\.note|\.sig|\.tsr)?|custody\.jsonl)$/;

export class Bundle {
	constructor(exporter) { Object.assign(this, { exporter, files: new Map() }); }

	// As it was unpacked there; `exporter` signs what is changed.
	static read(folder, exporter) {
		const bundle = new Bundle(exporter);
		for (const item of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
			const whole = path.join(item.parentPath ?? item.path, item.name);
			if (item.isFile()) bundle.files.set(path.relative(folder, whole), fs.readFileSync(whole));
		}
		bundle.manifest = JSON.parse(bundle.files.get('manifest.json'));
		return bundle;
	}

	static make(log, scope) {
		const bundle = new Bundle(scope.exporter);
		bundle.fill(log, scope);
		return bundle;
	}

	fill(log, { size, from, end, omit = [], previous, exporter, sealed = new Map() }) {
		Object.assign(this, { log, size, from, end, previous });
		const put = (name, bytes) => this.files.set(name, Buffer.from(bytes));
		const range = Array.from({ length: end - from }, (_, n) => from + n);
		const open = range.filter((seq) => !omit.includes(seq));
		const hex = (seq) => log.leaves[seq].toString('hex');
		const base64 = (hash) => hash.toString('base64');
		const note = log.checkpoint(size);
		const rows = open.map((seq) => ({ seq, leaf_hash: hex(seq), entry_b64: base64(log.entries[seq]), ...columns(log.entries[seq]),
			...(sealed.has(seq) ? { sealed: sealed.get(seq).map((part) => ({ salt: base64(part.salt), body: base64(part.body) })) } : {}) }));

		put('README.txt', 'An export.\n');
		put('custody.jsonl', '{"by":"ifreplay"}\n');
		put('log/checkpoint', note);
		this.putTiles(put, omit.length === 0);
		put('proofs/range.json', spread({ from, end, size, root: base64(log.root(0, size)), hashes: log.outside(from, end, 0, size).map(base64) }));
		for (const seq of [open[0], open.at(-1)]) {
			put(`proofs/${seq}.tlog-proof`, `c2sp.org/tlog-proof@v1\nindex ${seq}\n${lines(log.inclusion(seq, 0, size).map(base64))}\n${note}`);
		}
		if (previous) {
			put('proofs/consistency.txt', `ifswarm.local/consistency@v1\nold ${previous}\n${lines(log.consistency(previous, 0, size).map(base64))}\n${log.checkpoint(previous)}`);
		}
		put('data/events.jsonl', lines(rows.map((row) => JSON.stringify(row))));
		const names = Object.keys(rows[0]).filter((name) => name !== 'sealed' && name !== 'entry_b64');
		put('data/events.csv', [names, ...rows.map((row) => names.map((name) => row[name]))].map((row) => `${row.join(',')}\r\n`).join(''));
		put('data/omissions.jsonl', lines(omit.map((seq) => JSON.stringify({ seq, leaf_hash: hex(seq), reason: 'filter' }))));
		this.manifest = {
			version: 1, origin: log.origin, log_key: log.key.vkey, export_key: exporter.vkey, size, root: base64(log.root(0, size)), from, end,
			disclosed: open.length, omitted: omit.length, previous_size: previous ?? null,
			previous_root: previous ? base64(log.root(0, previous)) : null, profile: 'none', purpose: 'a test',
		};
		this.sign();
	}

	putTiles(put, withEntries) {
		const { log, size, from, end } = this;
		for (let level = 0, width = 1; width <= size; level++, width *= 256) {
			const count = Math.floor(size / width);
			for (let index = 0; index * 256 < count; index++) {
				const here = Math.min(256, count - index * 256);
				const hashes = Array.from({ length: here }, (_, n) => log.root((index * 256 + n) * width, (index * 256 + n + 1) * width));
				const holdsRange = index * 256 < end && (index + 1) * 256 > from;
				if (level > 0 || holdsRange || here < 256) put(tilePath(level, index, here), Buffer.concat(hashes));
				if (level === 0 && holdsRange && withEntries) {
					put(tilePath('entries', index, here), Buffer.concat(log.entries.slice(index * 256, index * 256 + here)
						.flatMap((entry) => [Buffer.from([entry.length >> 8, entry.length & 255]), entry])));
				}
			}
		}
	}

	// The steps an attacker can take without a key, and with one.
	sum() {
		const names = [...this.files.keys()].filter((name) => !UNLISTED.test(name)).sort();
		this.files.set('SHA256SUMS', Buffer.from(lines(names.map((name) => `${sha256(this.files.get(name)).toString('hex')}  ${name}`))));
	}

	writeManifest(changes = {}) {
		Object.assign(this.manifest, changes, { sha256sums: sha256(this.files.get('SHA256SUMS')).toString('hex') });
		this.files.set('manifest.json', Buffer.from(spread(this.manifest)));
	}

	signManifest(key = this.exporter) {
		const bytes = this.files.get('manifest.json');
		this.files.set('manifest.json.sig', key.sign(bytes));
		this.files.set('manifest.json.note', Buffer.from(key.note(`ifswarm export manifest v1\n${this.manifest.origin}\n${sha256(bytes).toString('base64')}\n`)));
	}

	sign(key, changes) {
		this.sum();
		this.writeManifest(changes);
		this.signManifest(key);
	}

	copy() {
		const made = Object.create(Bundle.prototype);
		return Object.assign(made, this, { files: new Map(this.files), manifest: { ...this.manifest } });
	}

	// One file through a function from text (or bytes) to text (or bytes).
	edit(name, change) { this.files.set(name, Buffer.from(change(this.files.get(name).toString()))); }
	editBytes(name, change) {
		const bytes = Buffer.from(this.files.get(name));
		this.files.set(name, change(bytes) ?? bytes);
	}

	unpack(to) {
		for (const [name, bytes] of this.files) {
			fs.mkdirSync(path.dirname(path.join(to, name)), { recursive: true });
			fs.writeFileSync(path.join(to, name), bytes);
		}
		return to;
	}

	tar() { return tar([...this.files].sort(([a], [b]) => (a < b ? -1 : 1))); }
}

export function tarMember(name, bytes, { type = '0', link = '', size = bytes.length } = {}) {
	const block = Buffer.alloc(512);
	block.write(name, 0, 100);
	block.write('0000644\u00000000000\u00000000000\u0000', 100, 'latin1');
	block.write(`${size.toString(8).padStart(11, '0')}\u0000${'0'.repeat(11)}\u0000        ${type}`, 124, 'latin1');
	block.write(link, 157, 100);
	block.write('ustar\u000000', 257, 'latin1');
	block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\u0000 `, 148, 'latin1');
	return Buffer.concat([block, bytes, Buffer.alloc((512 - bytes.length % 512) % 512)]);
}

export const tar = (files, more = []) => Buffer.concat([...files.map(([name, bytes]) => tarMember(name, bytes)), ...more, Buffer.alloc(1024)]);
