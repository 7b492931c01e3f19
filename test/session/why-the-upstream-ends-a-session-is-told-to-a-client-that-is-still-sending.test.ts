// A server that ends a session in the middle of a COPY says why and closes, with bytes of the client unread: the next
// write to it meets a reset. What it said arrives all the same.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { errorResponse, message } from '../support/peers/messages.ts';
import type { RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { letIn, openSession, TRUST } from './clients.ts';

const WHY = errorResponse({
  S: 'FATAL',
  V: 'FATAL',
  C: '57P01',
  M: 'terminating connection due to administrator command',
});
const COPY_DATA = message('d', Buffer.alloc(3_000));
/** Where the reset falls between two writes is up to the kernel: without the care taken, a third of them lose it. */
const ROUNDS = 30;

for (const unix of [false, true]) {
  await test(`an upstream on ${unix ? 'a Unix socket' : 'TCP'}`, async (t) => {
    const upstream = await scriptedUpstream(
      t,
      async (connection) => {
        await letIn(connection);
        await connection.read(200_000);
        connection.socket.end(WHY, () => connection.destroy());
      },
      { unix },
    );
    const gate = await startGate(t, { hba: TRUST, upstream });
    let told = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const { client } = await openSession(t, gate, { tls: round % 2 === 0 });
      keepSending(client);
      await client.closed;
      if (client.received.subarray(-WHY.length).equals(WHY)) told += 1;
      client.destroy();
    }
    t.equal(told, ROUNDS);
  });
}

function keepSending(client: RawClient): void {
  const { socket } = client;
  const write = (): void => {
    if (client.isClosed) return;
    if (socket.write(COPY_DATA)) setImmediate(write);
    else socket.once('drain', write);
  };
  write();
}
