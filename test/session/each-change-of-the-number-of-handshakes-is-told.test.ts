// Handshakes: whoever counts over several workers hears of every connection that comes, leaves or is evicted, and the
// number that is told is right when it is. A number that stayed too high would be too many for ever.

import { test } from 'tap';
import { Lifeline } from '../../src/session/deadline.ts';
import { Handshakes } from '../../src/session/handshakes.ts';

await test('coming, leaving, evicted for another, evicted by hand', (t) => {
  const told: number[] = [];
  const handshakes = new Handshakes(() => told.push(handshakes.size));
  const [first, second, third] = [new Lifeline(), new Lifeline(), new Lifeline()];
  handshakes.enter(first, 2);
  handshakes.enter(second, 2);
  handshakes.progress(first);
  handshakes.enter(third, 2);
  t.strictSame(told, [1, 2, 3, 2]);
  t.match(second.signal.reason, { code: 'handshake-evicted' }, 'the one longest without progress');
  handshakes.leave(second);
  handshakes.leave(first);
  t.ok(handshakes.evictOldest());
  t.notOk(handshakes.evictOldest());
  t.strictSame(told, [1, 2, 3, 2, 1, 0]);
  t.end();
});
