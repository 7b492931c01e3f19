// An upstream that has said all it has to say, and a client that closes after its last byte: what the gate has taken
// from the client and the upstream has not read yet must not go with the client.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { within } from '../support/run/waiting.ts';
import { letIn, openSession, takeOver, TRUST } from './clients.ts';
import { createKeystream, keystreamDigest, Seen } from './keystream.ts';

const STREAM_BYTES = 3_000_017;
/** How much the upstream reads before it lets the event loop turn some times. */
const READ_BYTES = 4096;
const TURNS = 3;

for (const unix of [true, false]) {
  for (const tls of [true, false]) {
    const between = `${tls ? 'a TLS' : 'a plaintext'} client and ${unix ? 'a Unix socket' : 'TCP'}`;
    await test(`between ${between}`, async (t) => {
      const digest = Promise.withResolvers<string>();
      const upstream = await scriptedUpstream(
        t,
        async (connection) => {
          await letIn(connection);
          const socket = takeOver(connection);
          // Its last word: from here on the client's close is all that ends the session.
          socket.end();
          readSlowly(socket).then(digest.resolve, digest.reject);
        },
        { unix },
      );
      const gate = await startGate(t, { hba: TRUST, upstream });
      const { client } = await openSession(t, gate, { tls });
      const socket = takeOver(client);
      socket.resume();
      socket.end(createKeystream(1)(STREAM_BYTES));
      await within(once(socket, 'close'), () => 'the client to close');
      t.equal(await digest.promise, keystreamDigest(1, STREAM_BYTES), 'every byte, and the end');
      const { bytes_in: bytesIn } = await gate.waitForLog({ msg: /^disconnection:/ });
      t.ok(Number(bytesIn) > STREAM_BYTES, 'counted');
    });
  }
}

/** Reads a little at a time until the end. Returns the digest. */
async function readSlowly(socket: Socket): Promise<string> {
  const seen = new Seen();
  const read = (): void => {
    for (let chunk = next(socket); chunk !== null; chunk = next(socket)) seen.add(chunk);
  };
  const { promise: over, resolve, reject } = Promise.withResolvers<void>();
  socket.on('end', resolve).on('error', reject);
  socket.on('close', () => reject(new Error(`closed after ${seen.length} bytes`)));
  let turns = 0;
  const timer = setInterval(() => {
    if (++turns % TURNS === 0) read();
  }, 1);
  await within(over, () => `the end, after ${seen.length} bytes`).finally(() => clearInterval(timer));
  return seen.digest;
}

function next(socket: Socket): Buffer | null {
  const chunk: unknown = socket.read(Math.min(READ_BYTES, Math.max(socket.readableLength, 1)));
  return Buffer.isBuffer(chunk) ? chunk : null;
}
