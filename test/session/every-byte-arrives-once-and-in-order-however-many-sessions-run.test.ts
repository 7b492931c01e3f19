// A hundred sessions at once, with TLS and without, each with a stream of its own in either direction, through the slab
// that they all share. Writes are of odd sizes, both sides pause at random, and some clients read nothing until all
// buffers on the way are full of small pieces: there a slab that is lent too long shows. Every stream has its digest.
//
// TAP_TIMEOUT=0 GATEHOUSE_INTEGRITY_MINUTES=10 GATEHOUSE_INTEGRITY_SESSIONS=1000 node <this file> goes on with other
// seeds for so long.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test, type Test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { within } from '../support/run/waiting.ts';
import { openSession, takeOver, TRUST } from './clients.ts';
import { createKeystream, createRandom, keystreamDigest, Seen } from './keystream.ts';

const SESSIONS = Number(process.env['GATEHOUSE_INTEGRITY_SESSIONS'] ?? 100);
const MINUTES = Number(process.env['GATEHOUSE_INTEGRITY_MINUTES'] ?? 0);
const FIRST_SEED = Number(process.env['GATEHOUSE_INTEGRITY_SEED'] ?? 1);
/** Of the sessions, those whose client reads nothing until the upstream is stuck. */
const STUCK = 24;
const STREAM_BYTES = 400_009;
/** More than the kernel's buffers between the upstream and a client that does not read. */
const STUCK_STREAM_BYTES = 7_000_003;
const LONGEST_WRITE = 90_001;
const LONGEST_SMALL_WRITE = 6_001;
const LONGEST_PAUSE_MS = 8;
/** How long all streams together may take on a busy machine. */
const ROUND_MS = 110_000;
/** An upstream that could not write for so long is stuck. */
const STUCK_AFTER_MS = 200;

for (const unix of [false, true]) {
  const timeout = ROUND_MS + 60_000 * MINUTES;
  await test(`to an upstream on ${unix ? 'a Unix socket' : 'TCP'}`, { timeout }, async (t) => {
    const until = performance.now() + (MINUTES * 60_000) / 2;
    for (let seed = FIRST_SEED; seed === FIRST_SEED || performance.now() < until; seed++) {
      await t.test(`seed ${seed}`, { timeout }, async (round) => {
        round.strictSame(await wrongStreams(round, unix, seed), [], 'every stream arrived as it was sent');
      });
    }
  });
}

/** Has all sessions run at once. Returns the streams that arrived otherwise than they were sent. */
async function wrongStreams(t: Test, unix: boolean, seed: number): Promise<readonly string[]> {
  const streams = Array.from({ length: SESSIONS }, (_, session) => streamsOf(session, seed));
  const stuck = streams.map(() => Promise.withResolvers<void>());
  const atUpstream = streams.map(() => Promise.withResolvers<string>());
  const upstream = await scriptedUpstream(
    t,
    async (connection) => {
      const session = Number((await connection.readStartup()).parameters['user']);
      const { toClient, toUpstream } = streams[session]!;
      await connection.acceptLogin();
      const { socket } = connection;
      const what = `the stream from client ${session}`;
      const digest = receive(takeOver(connection), what, createRandom(toUpstream.seed));
      void digest.then(atUpstream[session]!.resolve, atUpstream[session]!.reject);
      socket.resume();
      // Not earlier: the client takes its socket over once the login is done.
      await once(socket, 'data');
      send(socket, toClient, stuck[session]!.resolve);
    },
    { unix },
  );
  // A thousand at once are not strangers to be evicted, and this process, all of their clients and upstreams, is slow.
  const config = { max_handshakes: 0, authentication_timeout: '5min', upstream: { connect_timeout: '5min' } };
  const gate = await startGate(t, { hba: TRUST, upstream, config });
  const wrong: string[] = [];
  const run = async ({ toClient, toUpstream }: Streams, session: number): Promise<void> => {
    const parameters = { user: String(session) };
    const { client } = await openSession(t, gate, { tls: session % 3 !== 0, parameters });
    const socket = takeOver(client);
    const digest = receive(socket, `the stream to client ${session}`, createRandom(toClient.seed));
    send(socket, toUpstream);
    if (isStuck(session)) await stuck[session]!.promise;
    socket.resume();
    if ((await digest) !== digestOf(toClient)) wrong.push(`to client ${session}`);
    if ((await atUpstream[session]!.promise) !== digestOf(toUpstream)) wrong.push(`from client ${session}`);
  };
  await Promise.all(streams.map(run));
  await gate.stop();
  return wrong;
}

/** What one side sends. */
interface Stream {
  readonly seed: number;
  readonly bytes: number;
  readonly longestWrite: number;
}

function isStuck(session: number): boolean {
  return session < STUCK;
}

/** What the two sides of one session send. */
interface Streams {
  readonly toClient: Stream;
  readonly toUpstream: Stream;
}

function streamsOf(session: number, runSeed: number): Streams {
  const seed = 2 * (runSeed * SESSIONS + session);
  const toUpstream = { seed: seed + 1, bytes: STREAM_BYTES, longestWrite: LONGEST_WRITE };
  return {
    toUpstream,
    toClient: isStuck(session)
      ? { seed, bytes: STUCK_STREAM_BYTES, longestWrite: LONGEST_SMALL_WRITE }
      : { seed, bytes: STREAM_BYTES, longestWrite: LONGEST_WRITE },
  };
}

function digestOf({ seed, bytes }: Stream): string {
  return keystreamDigest(seed, bytes);
}

/** Reads, in fits, until the other side closes; begins when the caller resumes the socket. Returns the digest. */
async function receive(socket: Socket, what: string, random: (below: number) => number): Promise<string> {
  const seen = new Seen();
  const { promise: over, resolve, reject } = Promise.withResolvers<void>();
  socket.on('data', (chunk: Buffer) => {
    seen.add(chunk);
    if (random(4) !== 0) return;
    socket.pause();
    setTimeout(() => socket.resume(), random(LONGEST_PAUSE_MS));
  });
  socket.on('end', resolve).on('error', reject);
  socket.on('close', () => reject(new Error(`${what} closed after ${seen.length} bytes`)));
  await within(over, () => `${what} to end, after ${seen.length} bytes`, ROUND_MS);
  return seen.digest;
}

/**
 * Sends a stream and the end, a piece a turn of the event loop, so that small ones stay small on their way through the
 * gate.
 *
 * @param onStuck called when writing does not get on, or when all is written; what is queued then may be stuck too
 */
function send(socket: Socket, stream: Stream, onStuck: () => void = () => {}): void {
  const random = createRandom(stream.seed);
  const next = createKeystream(stream.seed);
  let left = stream.bytes;
  const write = (): void => {
    if (socket.destroyed) return;
    if (left === 0) {
      socket.end();
      onStuck();
      return;
    }
    const length = Math.min(left, 1 + random(stream.longestWrite));
    left -= length;
    if (socket.write(next(length))) {
      setImmediate(write);
      return;
    }
    const timer = setTimeout(onStuck, STUCK_AFTER_MS);
    socket.once('drain', () => {
      clearTimeout(timer);
      write();
    });
  };
  write();
}
