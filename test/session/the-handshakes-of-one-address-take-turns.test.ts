// TLS handshakes of an address that has shown nothing yet: one at a time, so that what the first one costs is known
// before the next begins. Another address does not wait for them.

import { test } from 'tap';
import { EndSignal } from '../../src/session/end-signal.ts';
import { Strangers } from '../../src/session/strangers.ts';
import { stopClock } from './stopped-clock.ts';

await test('the second begins when the first is over, another address at once', async (t) => {
  // A lease must not end while this process stands still.
  stopClock(t);
  const strangers = new Strangers();
  const order: string[] = [];
  /** A handshake that fails when `end` resolves. */
  const handshake = async (name: string, address: string, end: Promise<void>): Promise<void> => {
    const life = new EndSignal();
    strangers.enter(life, { block: address, chargedTo: address }, () => 0, 100);
    const failing = strangers.handshake(life, address, async (ready) => {
      await ready();
      order.push(`${name} begins`);
      await end;
      order.push(`${name} ends`);
      throw new Error('the client has left');
    });
    await t.rejects(failing);
    strangers.leave(life, { failed: true });
  };
  const held = Promise.withResolvers<void>();
  const first = handshake('the first', '192.0.2.1', held.promise);
  const second = handshake('the second', '192.0.2.1', Promise.resolve());
  await handshake('another address', '192.0.2.2', Promise.resolve());
  t.strictSame(order.splice(0), ['the first begins', 'another address begins', 'another address ends']);
  held.resolve();
  await Promise.all([first, second]);
  t.strictSame(order, ['the first ends', 'the second begins', 'the second ends']);
});
