// A thousand silent sockets, two hundred that send a byte at a time, five hundred handshakes at one moment: clients that
// mean it get in throughout, and what the flood took is given back when it is over.

import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw, sslRequest, startupMessage, type RawClient } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { openSession, until } from '../session/clients.ts';

const SILENT = 1000;
const SLOW = 200;
const HANDSHAKES = 500;
/** What all handshakes may take that begin at one moment: the last of them waits for all the others. */
const TOGETHER_MS = 90_000;
/** Bytes that each slow client sends, a real client coming between every two of them. */
const SLOW_BYTES = 12;
/** One more flood, and others where memory is not yet where it was. */
const MAX_MORE = 3;
const MAX_RATIO = 1.25;

await test('floods, one after another', async (t) => {
  const gate = await startGate(t, {
    hba: 'hostssl all all 127.0.0.1/32 cert\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    config: { max_handshakes: 256 },
  });
  const alice = gate.authority.client('alice');
  const comeAndGo = async (scope: Scope): Promise<void> => {
    const { client } = await openSession(scope, gate, { credentials: alice, parameters: { user: 'alice' } });
    client.destroy();
  };
  const flood = async (scope: Scope): Promise<void> => {
    await silent(scope, gate, async () => await comeAndGo(scope));
    await slow(scope, gate, async () => await comeAndGo(scope));
  };

  // After the first one alone the heap has not yet reached the size that it keeps.
  for (let warming = 0; warming < 2; warming++) await flood(t);
  await calm(gate);
  const before = { fds: gate.fdCount(), bytes: gate.rssBytes() };
  await t.test('again', flood);
  let ratio = Infinity;
  // Garbage that is still there says nothing: what grows with each flood is there after every one of them.
  for (let more = 0; more < MAX_MORE && ratio >= MAX_RATIO; more++) {
    await t.test('and again', flood);
    await calm(gate);
    ratio = Math.min(ratio, gate.rssBytes() / before.bytes);
  }
  await until('the descriptors are given back', async () => {
    await gate.admin('/healthz');
    return gate.fdCount() <= before.fds;
  });
  t.ok(ratio < MAX_RATIO, `memory is where it was after the first floods (${ratio.toFixed(2)} of it)`);
  t.equal((await gate.metrics()).value('connections_total', { outcome: 'internal-error' }), 0);
});

await test('five hundred handshakes at once', async (t) => {
  const gate = await startGate(t, {
    hba: 'hostssl all all 127.0.0.1/32 cert\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    config: { max_handshakes: HANDSHAKES },
  });
  const alice = gate.authority.client('alice');
  const clients = Array.from({ length: HANDSHAKES }, async () => {
    const { client } = await openSession(t, gate, {
      credentials: alice,
      parameters: { user: 'alice' },
      patienceMs: TOGETHER_MS,
    });
    client.halfClose();
  });
  await Promise.all(clients);
  t.equal((await gate.metrics()).value('tls_sessions_total'), HANDSHAKES, 'every one of them');
  await calm(gate);
});

/** Opens silent sockets and lets a client in after every hundredth. */
async function silent(t: Scope, gate: Gate, comeAndGo: () => Promise<void>): Promise<void> {
  const strangers: RawClient[] = [];
  for (let count = 1; count <= SILENT; count++) {
    strangers.push(await connectRaw(t, gate.port));
    if (count % 100 === 0) await comeAndGo();
  }
  for (const stranger of strangers) stranger.destroy();
}

/** Opens clients that say what a client says, far too slowly; lets one in between every two of their bytes. */
async function slow(t: Scope, gate: Gate, comeAndGo: () => Promise<void>): Promise<void> {
  const bytes = Buffer.concat([sslRequest(), startupMessage({ user: 'alice' })]).subarray(0, SLOW_BYTES);
  const strangers: RawClient[] = [];
  for (let count = 0; count < SLOW; count++) strangers.push(await connectRaw(t, gate.port));
  for (const byte of bytes) {
    // One that was dropped in the meantime cannot be written to, and need not.
    await Promise.allSettled(strangers.map(async (stranger) => await stranger.send(Buffer.of(byte))));
    await comeAndGo();
  }
  for (const stranger of strangers) stranger.destroy();
}

/** Resolves when the gate has nobody left. */
async function calm(gate: Gate): Promise<void> {
  await until('nobody is left', async () => {
    const metrics = await gate.metrics();
    return metrics.value('handshakes_in_progress') === 0 && metrics.value('sessions') === 0;
  });
}
