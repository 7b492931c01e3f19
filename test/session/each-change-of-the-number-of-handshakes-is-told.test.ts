// Handshakes: the process that counts over several workers hears of every connection that comes, leaves or is evicted, and the
// number that is told is right when it is. A number that stayed too high would be too many for ever.

import { setImmediate } from 'node:timers/promises';
import { test } from 'tap';
import { EndSignal } from '../../src/session/end-signal.ts';
import { HandshakeShares } from '../../src/server/workers/handshake-shares.ts';
import { evicted, Handshakes } from '../../src/session/handshakes.ts';

await test('coming, leaving, evicted for another, evicted by hand', async (t) => {
  const told: number[] = [];
  const handshakes = new Handshakes(() => told.push(handshakes.size));
  const [first, second, third] = [new EndSignal(), new EndSignal(), new EndSignal()];
  handshakes.enter(first, 2);
  handshakes.enter(second, 2);
  handshakes.progress(first);
  handshakes.enter(third, 2);
  t.strictSame(told, [1, 2, 3], 'what has arrived already is read before anybody goes');
  await setImmediate();
  t.strictSame(told, [1, 2, 3, 2]);
  t.match(second.signal.reason, { code: 'handshake-evicted' }, 'the one longest without progress');
  handshakes.leave(second);
  handshakes.leave(first);
  t.ok(handshakes.evict(evicted()));
  t.notOk(handshakes.evict(evicted()));
  t.strictSame(told, [1, 2, 3, 2, 1, 0]);
});

await test('of which addresses, and who has more than a share of all workers', async (t) => {
  const handshakes = new Handshakes(() => {});
  const [first, second, third] = [new EndSignal(), new EndSignal(), new EndSignal()];
  handshakes.enter(first, 0, 'a');
  handshakes.enter(second, 0, 'a');
  handshakes.enter(third, 0, 'b');
  const shares = new HandshakeShares<number>();
  const note = (): void => shares.note(1, handshakes.takeChanges());
  note();
  shares.note(2, new Map(Object.entries({ a: 2, c: 2, d: 1 })));
  t.strictSame([...shares.crowded(8)], ['a'], 'four of eight, where there are four addresses');
  t.strictSame([...shares.crowded(16)], []);
  handshakes.leave(first);
  handshakes.regroup(third, 'c');
  note();
  t.strictSame([...shares.crowded(6)], ['a', 'c'], 'three of six each, and one');
  t.equal(handshakes.takeChanges().size, 0, 'each change is told once');
  shares.forget(2);
  t.strictSame([...shares.crowded(2)], [], 'one each is left');
  shares.forget(1);
  t.strictSame([...shares.crowded(0)], []);
});

await test('who goes first', async (t) => {
  const handshakes = new Handshakes();
  const names = new Map<EndSignal, string>();
  const come = (name: string, group: string): EndSignal => {
    const life = new EndSignal();
    names.set(life, name);
    life.signal.addEventListener('abort', () => names.delete(life));
    handshakes.enter(life, 0, group);
    return life;
  };
  handshakes.progress(come('waits for the upstream, at the first address', 'a'), { turn: 'gate' });
  handshakes.progress(come('has a certificate', 'a'), { proven: true });
  come('a second of the same address', 'a');
  come('alone at its address', 'b');
  come('a fourth of the first address', 'a');
  handshakes.progress(come('has answered, at the first address', 'a'), { turn: 'verdict' });
  handshakes.progress(come('has answered', 'c'), { turn: 'verdict' });
  handshakes.progress(come('waits for the upstream', 'e'), { turn: 'gate' });
  handshakes.progress(come('has been refused', 'd'), { turn: 'over' });
  const gone: string[] = [];
  for (;;) {
    const before = [...names.values()];
    if (!handshakes.evict(evicted())) break;
    gone.push(...before.filter((name) => ![...names.values()].includes(name)));
  }
  t.strictSame(gone, [
    'has been refused',
    'a second of the same address',
    'a fourth of the first address',
    'has answered, at the first address',
    'waits for the upstream, at the first address',
    'alone at its address',
    'has a certificate',
    'has answered',
    'waits for the upstream',
  ]);
});
