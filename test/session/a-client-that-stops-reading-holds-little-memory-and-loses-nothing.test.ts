// Clients that do not read, or 64 KiB a second at most, while the upstream sends as fast as it can: the gate holds less
// than 1 MiB for each of them, and every byte arrives once they read on.

import type { Socket } from 'node:net';
import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { within } from '../support/run/waiting.ts';
import { openSession, takeOver, TRUST, until } from './clients.ts';
import { createKeystream, keystreamDigest, Seen } from './keystream.ts';

const CLIENTS = 24;
const STREAM_BYTES = 16_000_000;
const MIB = 1024 * 1024;
const SLOWLY_READ = 3 * 65_536;
/** More than the upstream says in a login, and less than the kernel holds of a stream that nobody reads. */
const BEGUN_BYTES = 65_536;

for (const tls of [true, false]) {
  await test(`clients ${tls ? 'inside' : 'without'} TLS`, async (t) => {
    const upstream = await scriptedUpstream(t, async (connection) => {
      await connection.readStartup();
      await connection.acceptLogin();
      // Not earlier: the client takes its socket over once the login is done.
      await connection.read(1);
      sendStream(connection.socket, connection.index);
    });
    const gate = await startGate(t, { hba: TRUST, upstream });
    const sockets: { readonly socket: Socket; readonly seed: number }[] = [];
    for (let seed = 0; seed < CLIENTS; seed += 1) {
      const { client } = await openSession(t, gate, { tls });
      sockets.push({ socket: takeOver(client), seed });
    }
    await until('the gate is quiet', async () => settled(gate, 0));
    const before = gate.rssBytes();
    for (const { socket } of sockets) socket.write('!');
    await until('the gate has stopped reading from the upstream', async () => settled(gate, BEGUN_BYTES));
    const perClient = (gate.rssBytes() - before) / CLIENTS;
    t.ok(perClient < MIB, `${Math.round(perClient / 1024)} KiB for a client that does not read`);
    const whole = await Promise.all(
      sockets.map(async ({ socket, seed }) => {
        const slow = seed === 0;
        const { digest } = await readStream(socket, slow);
        return digest === keystreamDigest(seed, STREAM_BYTES);
      }),
    );
    t.ok(whole.every(Boolean), 'every stream arrived as it was sent');
  });
}

/** Whether many looks at the sessions show the same bytes from the upstream, and more than `atLeast` of each. */
async function settled(gate: Gate, atLeast: number): Promise<boolean> {
  const bytesOut = async (): Promise<number[]> =>
    (await gate.sessions()).map(({ bytes_out: bytes }) => Number(bytes));
  const looks = [await bytesOut()];
  for (let look = 0; look < 20; look += 1) looks.push(await bytesOut());
  return looks.every(
    (look) => look.length === CLIENTS && look.every((n, i) => n > atLeast && n === looks[0]?.[i]),
  );
}

function sendStream(socket: Socket, seed: number): void {
  const next = createKeystream(seed);
  let left = STREAM_BYTES;
  const write = (): void => {
    while (left > 0) {
      const length = Math.min(left, 40_000);
      left -= length;
      if (!socket.write(next(length))) {
        socket.once('drain', write);
        return;
      }
    }
    socket.end();
  };
  write();
}

/** Reads to the end; a slow reader takes its first SLOWLY_READ bytes at 64 KiB a second. */
async function readStream(socket: Socket, slow: boolean): Promise<Seen> {
  const seen = new Seen();
  const { promise: over, resolve, reject } = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  socket.on('end', resolve);
  socket.on('error', reject);
  socket.on('data', (chunk: Buffer) => {
    seen.add(chunk);
    if (!slow || seen.length >= SLOWLY_READ) return;
    socket.pause();
    timer = setTimeout(() => socket.resume(), (chunk.length / 65_536) * 1000);
  });
  socket.resume();
  await within(over, () => `the stream's end, after ${seen.length} bytes`, 60_000);
  clearTimeout(timer);
  socket.end();
  return seen;
}
