// Sessions that a reload ends go one by one over five seconds, so that not all reconnect at once: those as well whose
// look-up is answered by itself.

import tap, { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { nameServer, reverseName } from '../support/servers/name-server.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { answering, reloaded } from './clients.ts';

requireNetworkNamespace(tap, { hosts: '127.0.0.1 localhost\n' });

const ADDRESS = '10.66.0.1';
const SESSIONS = 20;

async function toldAt(client: RawClient): Promise<number> {
  await client.readMessagesUntil('E', 60_000);
  client.halfClose();
  return performance.now();
}

await test('twenty of one address', async (t) => {
  await nameServer(t, [
    [reverseName(ADDRESS), { name: 'other.example' }],
    ['other.example', { address: ADDRESS }],
  ]);
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: await scriptedUpstream(t, answering),
    config: { reload: { watch: 'off', sessions: 'terminate' } },
  });
  const clients: RawClient[] = [];
  while (clients.length < SESSIONS) {
    const client = await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress: ADDRESS });
    t.equal((await client.login({ user: 'u' })).error, null);
    clients.push(client);
  }
  gate.rewrite('pg_hba.conf', 'host all all app.example trust\n');
  t.match(await reloaded(gate), { ok: true });
  const times = (await Promise.all(clients.map(toldAt))).toSorted((a, b) => a - b);
  const lasted = times.at(-1)! - times[0]!;
  // The last one's turn comes after 19 of 20 steps. This machine may have been late for the first.
  t.ok(lasted > 2_500, `${Math.round(lasted)} ms from the first to the last`);
});
