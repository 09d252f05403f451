// Bad input over every transport, by what it asks and who asks: tests/e2e/rows/peers.mjs, credentials.mjs and
// relays.mjs are the table.
import { tellRows } from './lib/ways.mjs';
import { narrow, rows } from './rows/peers.mjs';
import { relays } from './rows/relays.mjs';

tellRows('bad peers', rows, { 'user-quota': 5 });
tellRows('more than there is', narrow, { 'relay-ip': '127.0.0.2' }, 8);
tellRows('what another relay gave out', relays, { relays: 3, mobility: 'yes' });
