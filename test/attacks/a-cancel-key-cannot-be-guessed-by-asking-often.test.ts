// A cancel request is answered by nothing but a close, needs no certificate and no rule, and the key of protocol 3.0 has
// four bytes: so somebody will try them all. A guess ends here, costs nothing that stays, and keeps nobody waiting.

import { connect } from 'node:net';
import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import {
  cancelRequest,
  connectRaw,
  decodeErrorResponse,
  PROTOCOL_3_0,
  query,
  terminate,
  type RawClient,
} from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { isProbe, scriptedUpstream, type Script } from '../support/peers/scripted-upstream.ts';
import { letIn, openClient, openSession, TRUST, until } from '../session/clients.ts';

interface CancelKey {
  readonly pid: number;
  readonly key: Buffer;
}

/** So many come at one time; fewer than max_handshakes, so that none has to go for another. */
const AT_ONCE = 64;

/** How many guesses make one wave, by how they come. */
const IN_CLEAR = 1_000;
const IN_TLS = 100;

/** Two waves, and more where memory is not yet where it was. */
const MAX_WAVES = 4;
const MAX_RATIO = 1.25;

const MAX_KEY_LENGTH = 256;
const postgres = { parameters: { user: 'postgres', database: 'postgres' } };

/** Every way of being nearly right. */
function nearMisses({ pid, key }: CancelKey, other: CancelKey): CancelKey[] {
  const bits = Array.from({ length: 8 * key.length }, (_, bit) => xor(key, 1 << bit));
  const prefixes = [1, 2, 3].map((length) => key.subarray(0, length));
  const longer = [5, 7, 8, 32, 255, MAX_KEY_LENGTH].flatMap((length) => [
    Buffer.alloc(length, key),
    Buffer.concat([key, Buffer.alloc(length - key.length)]),
    Buffer.concat([Buffer.alloc(length - key.length), key]),
  ]);
  const unrelated = [1, 3, 4, 5, MAX_KEY_LENGTH].flatMap((length) => [
    Buffer.alloc(length),
    Buffer.alloc(length, 0xff),
  ]);
  const reversed = Buffer.from(key.toReversed());
  const pids = [0, -1, pid - 1, pid + 1, -pid, pid ^ (1 << 31), pid << 8, key.readInt32BE(), other.pid];
  return [
    ...[...bits, ...prefixes, ...longer, ...unrelated, reversed, other.key].map((guess) => ({
      pid,
      key: guess,
    })),
    ...pids.map((guess) => ({ pid: guess, key })),
  ].filter((guess) => guess.pid !== pid || !guess.key.equals(key));
}

/** One key after another, near misses first and then by counting: never the right one. */
function guesses(victim: CancelKey, other: CancelKey, count: number): CancelKey[] {
  const near = nearMisses(victim, other);
  const counted = Array.from({ length: Math.max(0, count - near.length) }, (_, index) => ({
    pid: victim.pid,
    key: xor(victim.key, index + 1),
  }));
  return [...near, ...counted].slice(0, count);
}

function xor(key: Buffer, mask: number): Buffer {
  const changed = Buffer.from(key);
  changed.writeInt32BE(changed.readInt32BE() ^ mask);
  return changed;
}

/** Between the gate and a real server, so that what comes to it can be counted. */
function through(port: number): Script {
  return ({ socket }) => {
    const server = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    for (const [from, to] of [
      [socket, server],
      [server, socket],
    ] as const) {
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  };
}

const isCancelRequest = (bytes: Buffer): boolean => bytes.length >= 8 && bytes.readInt32BE(4) === 80877102;

/** All of them, AT_ONCE at a time. */
async function each<T>(items: readonly T[], what: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const lane = async (): Promise<void> => {
    for (const item of left) await what(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

/** Sends one and wants a close without a byte. @throws Error when it gets anything else */
async function ask(t: Scope, gate: Gate, { pid, key }: CancelKey, tls: boolean): Promise<void> {
  const client = await openClient(t, gate, { tls });
  await client.send(cancelRequest(pid, key));
  await client.expectClosed();
  client.destroy();
}

/** Logs in, asks and leaves, again and again until `flood` is over. @returns how often */
async function comeAndGo(t: Scope, gate: Gate, flood: Promise<unknown>): Promise<number> {
  const state = { over: false };
  void flood.finally(() => (state.over = true)).catch(() => undefined);
  let count = 0;
  while (!state.over) {
    const { client } = await openSession(t, gate, postgres);
    await client.send(query('select 1'));
    await client.readMessagesUntil('Z');
    await client.send(terminate());
    await client.closed;
    client.destroy();
    count += 1;
  }
  return count;
}

/** A query that runs until it is cancelled, begun. */
async function runOn(client: RawClient): Promise<void> {
  await client.send(query("do $$ begin raise notice 'runs'; perform pg_sleep(600); end $$"));
  await client.readMessagesUntil('N');
}

for (const workers of [1, 2]) {
  await test(`guesses by the thousand, workers: ${workers}`, async (t) => {
    await using server = await startPostgres({ version: 18 });
    const upstream = await scriptedUpstream(t, through(server.port));
    const gate = await startGate(t, { hba: TRUST, upstream, config: { workers } });
    const { client: victim, login } = await openSession(t, gate, postgres);
    const { login: otherLogin } = await openSession(t, gate, postgres);
    const [key, other] = [login.key!, otherLogin.key!];
    t.equal(key.key.length, 4, 'a key of four bytes');
    await runOn(victim);
    const heard = victim.received.length;

    const held: { descriptors: number; bytes: number }[] = [];
    let served = 0;
    /** The least that any wave has left, measured by what the first has: garbage that is still there says nothing. */
    const ratio = (): number => Math.min(...held.slice(1).map(({ bytes }) => bytes / held[0]!.bytes));
    for (let wave = 1; wave <= 2 || (wave <= MAX_WAVES && ratio() >= MAX_RATIO); wave++) {
      const flood = Promise.all([
        each(guesses(key, other, IN_CLEAR), async (guess) => await ask(t, gate, guess, false)),
        each(guesses(key, other, IN_TLS), async (guess) => await ask(t, gate, guess, true)),
      ]);
      const begun = performance.now();
      served += await comeAndGo(t, gate, flood);
      await flood;
      const seconds = (performance.now() - begun) / 1000;
      t.comment(`wave ${wave}: ${Math.round((IN_CLEAR + IN_TLS) / seconds)} guesses a second`);
      await until('nobody but the two sessions is there', async () => {
        const metrics = await gate.metrics();
        return metrics.value('handshakes_in_progress') === 0 && metrics.value('sessions') === 2;
      });
      held.push({ descriptors: gate.fdCount(), bytes: gate.rssBytes() });
    }
    await until('the later waves have left no descriptor open', async () => {
      await gate.admin('/healthz');
      return gate.fdCount() <= held[0]!.descriptors;
    });
    t.ok(ratio() < MAX_RATIO, `memory is where it was after the first (${ratio().toFixed(2)} of it)`);
    t.ok(served >= 2, `${served} clients were served meanwhile`);

    const total = held.length * (IN_CLEAR + IN_TLS);
    const metrics = await gate.metrics();
    const [unknown = 0, unseen = 0, ...others] = [
      'unknown-key',
      'too-many',
      'forwarded',
      'refused',
      'upstream-failed',
    ].map((outcome) => metrics.value('cancel_requests_total', { outcome }));
    t.strictSame([unknown + unseen, ...others], [total, 0, 0, 0], 'each was counted');
    t.ok(unseen > total / 2, `most of them were not even looked up (${unseen} of ${total})`);
    t.equal(metrics.value('connections_total', { outcome: 'cancel-request' }), total);
    t.equal(
      metrics.value('connections_total', { outcome: 'relayed' }),
      served,
      'and nobody else was kept out',
    );

    const spoken = upstream.received.filter((bytes) => !isProbe(bytes));
    t.equal(spoken.length, served + 2, 'the upstream has seen the sessions');
    t.ok(
      spoken.every((bytes) => bytes.readInt32BE(4) === PROTOCOL_3_0),
      'and nothing else',
    );
    t.notMatch(server.log(), /cancel request/);
    t.equal(victim.received.length, heard, 'the query runs, and its client was told nothing');

    await ask(t, gate, key, false);
    const messages = await victim.readMessagesUntil('Z');
    t.match(decodeErrorResponse(messages.find(({ type }) => type === 'E')!), {
      C: '57014',
      M: 'canceling statement due to user request',
    });
    t.strictSame(
      upstream.received.filter(isCancelRequest).map((bytes) => bytes.subarray(0, 12)),
      [cancelRequest(key.pid, Buffer.alloc(4)).subarray(0, 12)],
      "one request, for the victim's process",
    );
    t.equal((await gate.metrics()).value('cancel_requests_total', { outcome: 'forwarded' }), 1);
  });
}

await test('more guesses at one time than max_handshakes has places', async (t) => {
  const [PLACES, COUNT] = [16, 400];
  await using server = await startPostgres({ version: 18 });
  const upstream = await scriptedUpstream(t, through(server.port));
  const gate = await startGate(t, { hba: TRUST, upstream, config: { max_handshakes: PLACES } });
  const { client: victim, login } = await openSession(t, gate, postgres);
  await runOn(victim);
  const { pid, key } = login.key!;
  // Half of them stop in the middle: those hold their places until somebody needs them.
  const flood = Promise.all(
    Array.from({ length: COUNT }, async (_, index) => {
      const client = await connectRaw(t, gate.port);
      const request = cancelRequest(pid, xor(key, index + 1));
      // One that was dropped in the meantime cannot be written to, and need not.
      await client.send(index % 2 === 0 ? request : request.subarray(0, -1)).catch(() => undefined);
      return client;
    }),
  );
  t.ok((await comeAndGo(t, gate, flood)) > 0, 'clients get in');
  const clients = await flood;
  await openSession(t, gate, postgres);
  for (const client of clients) client.destroy();
  await until('each has ended', async () => {
    const metrics = await gate.metrics();
    const ended = [
      'cancel-request',
      'handshake-evicted',
      'incomplete-startup-packet',
      'no-startup-packet',
    ].map((outcome) => metrics.value('connections_total', { outcome }));
    return ended.reduce((sum, value) => sum + value, 0) === COUNT;
  });
  const metrics = await gate.metrics();
  t.ok(metrics.value('connections_total', { outcome: 'handshake-evicted' }) > 0, 'some had to go');
  t.equal(metrics.value('cancel_requests_total', { outcome: 'forwarded' }), 0);
  t.ok(
    clients.every(({ received }) => received.length === 0),
    'nobody was answered',
  );
  t.strictSame(upstream.received.filter(isCancelRequest), []);
  await ask(t, gate, login.key!, true);
  t.match((await victim.readMessagesUntil('Z')).map(({ body }) => body.toString('latin1')).join(''), '57014');
});

await test('the right key, many times, at an upstream that never closes', async (t) => {
  const [PLACES, COUNT] = [4, 12];
  const key = { pid: 7, key: Buffer.from('00c0ffee', 'hex') };
  const upstream = await scriptedUpstream(t, async (connection) => {
    if (connection.index === 0) await letIn(connection, key);
  });
  const gate = await startGate(t, {
    hba: TRUST,
    upstream,
    config: {
      max_handshakes: PLACES,
      upstream: { connect_timeout: '10min' },
      authentication_timeout: '10min',
    },
  });
  const { login } = await openSession(t, gate);
  await upstream.nextConnection();
  await gate.admin('/healthz');
  const before = gate.fdCount();
  const clients: RawClient[] = [];
  for (let count = 0; count < COUNT; count++) {
    const client = await connectRaw(t, gate.port);
    await client.send(cancelRequest(key.pid, login.key!.key));
    clients.push(client);
    // One after another, so that it is known who has to go.
    const connection = await upstream.nextConnection();
    t.strictSame(await connection.readCancelRequest(), key);
  }
  for (const client of clients.slice(0, -PLACES)) await client.expectClosed();
  t.notOk(
    clients.slice(-PLACES).some(({ isClosed }) => isClosed),
    'the last ones have their places',
  );
  await until('the others have neither of their sockets', async () => {
    await gate.admin('/healthz');
    return gate.fdCount() <= before + 2 * PLACES;
  });
  const metrics = await gate.metrics();
  t.equal(metrics.value('handshakes_in_progress'), PLACES);
  t.equal(metrics.value('connections_total', { outcome: 'handshake-evicted' }), COUNT - PLACES);
  t.equal(metrics.value('cancel_requests_total', { outcome: 'forwarded' }), COUNT - PLACES, 'each was sent');
});
