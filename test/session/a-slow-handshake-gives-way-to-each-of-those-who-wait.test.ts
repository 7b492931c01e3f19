// Three slow clients of one address, and a fourth one: each of them holds up the next for its lease, and no longer.

import { test } from 'tap';
import { EndSignal } from '../../src/session/end-signal.ts';
import { Turns } from '../../src/session/turns.ts';

await test('whose turn has come after a wait holds up the next for its lease only', async (t) => {
  const turns = new Turns();
  // None of them is ever done.
  const order: number[] = [];
  await Promise.all(
    [1, 2, 3, 4].map(async (number) => {
      await turns.take(new EndSignal(), '192.0.2.1');
      order.push(number);
    }),
  );
  t.strictSame(order, [1, 2, 3, 4]);
});
