// An address was refused for what its handshakes have cost, and its time is over. One more that fails is the first of a new
// count (contract §7.35), also for a process to which it has not come meanwhile: a worker is told of what others charge.

import { test } from 'tap';
import { Debts, MAX_COST_MS } from '../../src/session/debts.ts';

const ADDRESS = '192.0.2.1';
const REFUSED_FOR_MS = 10 * (MAX_COST_MS + 1);

await test('a debt, its end, and the next one', async (t) => {
  let now = 0;
  t.intercept(performance, 'now', { value: () => now });
  const debts = new Debts();
  debts.charge(ADDRESS, MAX_COST_MS + 1);
  now += REFUSED_FOR_MS - 10;
  debts.charge(ADDRESS, 1);
  t.match(debts.list(), [{ refused: true }], 'not before everything is paid');
  now += REFUSED_FOR_MS;
  t.strictSame(debts.list(), []);
  debts.charge(ADDRESS, 20);
  t.strictSame(debts.list(), [{ address: ADDRESS, ms: 20, refused: false }]);
  t.equal(debts.refuses(ADDRESS), false);
});
