// Chains of certificates that are made to be slow to verify, twenty at one moment: the first one shows what they cost,
// the others of its address are not verified any more, and everybody else is served.

import { test } from 'tap';
import { openSession, until } from '../session/clients.ts';
import { costlyChain } from '../support/certificates/costly-chain.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw, query } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { readyForQuery, scriptedUpstream } from '../support/peers/scripted-upstream.ts';

const ATTACKERS = 20;
/** Near OpenSSL's own limit of 100 KiB. */
const CHAIN_BYTES = 98_000;
const ATTACKER = '127.0.0.2';
const chain = costlyChain(CHAIN_BYTES);

async function attack(t: Scope, gate: Gate, localAddress: string): Promise<void> {
  const client = await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress });
  await client.openTls({ ...chain, ca: gate.authority.cert, servername: 'localhost' });
  await client.login({ user: 'mallory' });
}

function outcomes(gate: Gate, host: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { code, host: from } of gate.log) {
    if (code !== undefined && from === host) counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return counts;
}

for (const workers of [1, 2]) {
  await test(`twenty at one moment, workers: ${workers}`, async (t) => {
    const upstream = await scriptedUpstream(t, async (connection) => {
      await connection.readStartup();
      await connection.acceptLogin();
      for (;;) {
        await connection.readMessage();
        await connection.send(readyForQuery());
      }
    });
    const gate = await startGate(t, {
      hba: 'hostssl all all 127.0.0.0/8 cert\nhost all alice all trust\n',
      upstream,
      config: { workers },
    });
    const credentials = gate.authority.client('alice');
    const session = { credentials, parameters: { user: 'alice' } };
    const { client } = await openSession(t, gate, session);
    const attacks = Promise.allSettled(
      Array.from({ length: ATTACKERS }, async () => await attack(t, gate, ATTACKER)),
    );
    await client.send(query('select 1'));
    await client.readMessagesUntil('Z');
    t.equal((await gate.admin('/healthz')).status, 200);
    await attacks;
    await until('each has its line', async () => {
      await gate.admin('/healthz');
      return [...outcomes(gate, ATTACKER).values()].reduce((sum, count) => sum + count, 0) >= ATTACKERS;
    });
    const counts = outcomes(gate, ATTACKER);
    const expensive = counts.get('handshake-too-expensive') ?? 0;
    t.ok(expensive >= ATTACKERS - workers, `${ATTACKERS - expensive} were verified`);

    // A worker tells the others before it writes its line; each has heard of it when it answers this.
    await gate.sessions();
    // Without a certificate: the address is what is refused, and not what it costs.
    const again = await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress: ATTACKER });
    await t.rejects(again.login({ user: 'alice' }), 'its address is refused at accept');
    t.equal((await openSession(t, gate, session)).login.error, null, 'others get in');
    t.strictSame([...outcomes(gate, '127.0.0.1')], [], 'and none of them was dropped');
  });
}
