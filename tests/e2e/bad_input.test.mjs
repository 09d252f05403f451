// Bad input over every transport, by its bytes: tests/e2e/rows/wire.mjs is the table.
import { tellRows } from './lib/ways.mjs';
import { rows } from './rows/wire.mjs';

tellRows('bad input', rows);
