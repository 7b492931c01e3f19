// Slowloris: a client that always sends one more byte gains no time by it, in clear or inside TLS, and counts as one
// that makes no progress when places are short (semantics §1.19, contract §7.19, §7.20).

import { setInterval } from 'node:timers/promises';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { startupMessage } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { clientHello } from '../support/peers/tls-bytes.ts';
import { assertOneEndingEach, visit, type Visitor } from '../support/peers/visitor.ts';

/** The pace of the drip, in milliseconds: far below any limit. */
const PACE_MS = 20;

const longStartup = startupMessage({ user: 'alice', application_name: 'x'.repeat(9_000) });
const hello = await clientHello();

const drips: Readonly<Record<string, (client: Visitor) => Promise<Buffer>>> = {
  'a startup packet': async () => longStartup,
  'a ClientHello': async (client) => {
    await client.requestTls();
    return hello;
  },
  'direct TLS': async () => hello,
  'a startup packet inside TLS': async (client) => {
    await client.openTls();
    return longStartup;
  },
};

/** Until the other end has had enough. @returns how many bytes it took */
async function drip(client: Visitor, bytes: Buffer): Promise<number> {
  let sent = 0;
  for await (const _ of setInterval(PACE_MS)) {
    if (client.isClosed || sent === bytes.length) break;
    await client.send(bytes.subarray(sent, sent + 1)).catch(() => undefined);
    sent += 1;
  }
  return sent;
}

await test('it ends with the time', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust',
    upstream: { host: '127.0.0.1', port: 1 },
    // Long enough for the handshake of the last one, and shorter than any of them would drip.
    config: { authentication_timeout: '4s' },
  });
  await Promise.all(
    Object.entries(drips).map(async ([name, begin]) => {
      const client = await visit(t, gate);
      const begun = performance.now();
      const sent = await drip(client, await begin(client));
      t.match(await client.ending(), { code: 'authentication-timeout' }, name);
      t.ok(sent > 5 && sent < 1_000, `${name}: ${sent} bytes were dripped`);
      t.ok(performance.now() - begun < 20_000, name);
    }),
  );
  await assertOneEndingEach(t, gate);
});

await test('it goes when a client needs its place', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'host all all all trust',
    upstream,
    // A client that leaves before one of its bytes has been read has its line at debug.
    config: { max_handshakes: 2, log_level: 'debug' },
  });
  const first = await visit(t, gate);
  const second = await visit(t, gate);
  const dripping = [first, second].map((client) => drip(client, longStartup));
  for (let count = 0; count < 4; count++) {
    const client = await visit(t, gate);
    t.equal((await client.login({ user: 'alice' })).error, null, 'a client gets in');
  }
  // The first comer made room for all of them, one after the other.
  t.match(await first.ending(), { code: 'handshake-evicted' });
  t.notOk(second.isClosed, 'no more than needed are dropped');
  second.destroy();
  await Promise.all(dripping);
  await assertOneEndingEach(t, gate);
});

await test('a client that gets on with it stays, and one that came later and does nothing goes', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'host all all all trust',
    upstream,
    config: { max_handshakes: 2, log_level: 'debug' },
  });
  const busy = await visit(t, gate);
  const idle = await visit(t, gate);
  t.equal(await busy.requestTls(), 'S');
  const next = await visit(t, gate);
  t.match(await idle.ending(), { code: 'handshake-evicted' });
  // The handshake is another step: now `next` is the one that has gone longest without.
  await busy.startTls({ maxVersion: 'TLSv1.2' });
  await visit(t, gate);
  t.match(await next.ending(), { code: 'handshake-evicted' });
  t.equal((await busy.login({ user: 'alice' })).error, null);
  await assertOneEndingEach(t, gate);
});
