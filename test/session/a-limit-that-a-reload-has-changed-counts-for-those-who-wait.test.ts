// A client may wait for minutes between the decision on it and its place: it types a password that the upstream asks for,
// or the upstream takes its time. A limit that a reload changes meanwhile counts for it, and for everyone beside it.

import { readFileSync } from 'node:fs';
import { test, type Test } from 'tap';
import { parse, stringify } from 'yaml';
import { startGate, type Gate } from '../support/run/gate.ts';
import {
  connectRaw,
  decodeErrorResponse,
  passwordMessage,
  startupMessage,
  type RawClient,
} from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { askedForPassword, until } from './clients.ts';

async function reload(t: Test, gate: Gate, changed: Readonly<Record<string, number>>): Promise<void> {
  const settings: Record<string, unknown> = parse(readFileSync(gate.path('gatehouse.yaml'), 'utf8'));
  gate.rewrite('gatehouse.yaml', stringify({ ...settings, ...changed }));
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
}

async function answer(client: RawClient): Promise<string | null> {
  await client.send(passwordMessage('secret'));
  return (await client.readLogin()).error?.['C'] ?? null;
}

for (const limit of ['max_connections', 'max_connections_per_address']) {
  for (const [before, after, outcomes] of [
    [0, 1, [null, '53300']],
    [1, 0, [null, null]],
  ] as const) {
    await test(`${limit} from ${before} to ${after}`, async (t) => {
      const upstream = await scriptedUpstream(t, scripts.password);
      const gate = await startGate(t, {
        hba: 'host all all all password\n',
        upstream,
        config: { [limit]: before },
      });
      const clients = [await askedForPassword(t, gate), await askedForPassword(t, gate)];
      await reload(t, gate, { [limit]: after });
      for (const [index, client] of clients.entries()) t.equal(await answer(client), outcomes[index]);
    });
  }
}

await test('idle_session_timeout that was set', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.password);
  const gate = await startGate(t, { hba: 'host all all all password\n', upstream });
  const client = await askedForPassword(t, gate);
  await reload(t, gate, { idle_session_timeout: 1 });
  t.equal(await answer(client), null);
  const [end] = await client.readMessagesUntil('E');
  t.match(decodeErrorResponse(end!), { C: '57P05' });
});

await test('max_handshakes that was raised, and a client of before that the upstream asks late', async (t) => {
  const dialled = Promise.withResolvers<void>();
  const mayAsk = Promise.withResolvers<void>();
  const upstream = await scriptedUpstream(t, async (connection) => {
    if (connection.index === 0) {
      dialled.resolve();
      await mayAsk.promise;
    }
    await scripts.password(connection);
  });
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { max_handshakes: 1 },
  });
  const early = await connectRaw(t, gate.port);
  await early.send(startupMessage({ user: 'alice' }));
  await dialled.promise;
  await reload(t, gate, { max_handshakes: 10 });
  const others = [await askedForPassword(t, gate), await askedForPassword(t, gate)];
  mayAsk.resolve();
  await early.readMessagesUntil('R');
  for (const client of [early, ...others]) t.equal(await answer(client), null, 'nobody had to go');
  await until('all are sessions', async () => (await gate.sessions()).length === 3);
});
