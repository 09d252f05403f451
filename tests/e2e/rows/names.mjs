// The names of all tests that the tables make, each behind its file: for tests/threats.sh.
import { nameOf } from '../lib/ways.mjs';
import { rows as input } from './wire.mjs';
import { narrow, rows as peers } from './peers.mjs';
import { relays } from './relays.mjs';

for (const [file, rows] of [['bad_input', input], ['bad_peers', [...peers, ...narrow, ...relays]]]) {
	for (const row of rows) for (const transport of row.over) console.log(`${file} ${nameOf(row, transport)}`);
}
