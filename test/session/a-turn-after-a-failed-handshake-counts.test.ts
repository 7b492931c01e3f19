// An address is forgotten once none of its handshakes runs or waits. One that has just been given its turn does neither,
// and must be counted all the same: otherwise two would run at one time, then three.

import { test } from 'tap';
import { EndSignal } from '../../src/session/end-signal.ts';
import { Turns } from '../../src/session/turns.ts';
import { stopClock } from './stopped-clock.ts';

await test('a third handshake waits for the second, whose turn came when the first failed', async (t) => {
  // A lease must not end while this process stands still.
  stopClock(t);
  const turns = new Turns();
  const [first, second, third] = [new EndSignal(), new EndSignal(), new EndSignal()];
  await turns.take(first, '192.0.2.1');
  const secondTurn = turns.take(second, '192.0.2.1');
  turns.done(first, '192.0.2.1', null);
  await secondTurn;
  const order: string[] = [];
  const thirdTurn = turns.take(third, '192.0.2.1').then(() => order.push('the third begins'));
  // Without a wait it would have begun after a few microtasks.
  await new Promise((resolve) => setImmediate(resolve));
  order.push('the second is done');
  turns.done(second, '192.0.2.1', null);
  await thirdTurn;
  t.strictSame(order, ['the second is done', 'the third begins']);
});
