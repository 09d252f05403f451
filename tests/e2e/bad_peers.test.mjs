// Bad input over every transport, by what it asks and who asks: tests/e2e/rows/peers.mjs and credentials.mjs are the table.
import { tellRows } from './lib/ways.mjs';
import { narrow, rows } from './rows/peers.mjs';

tellRows('bad peers', rows, { 'user-quota': 5 });
tellRows('more than there is', narrow, { 'relay-ip': '127.0.0.2' }, 8);
