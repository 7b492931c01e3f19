// An address is refused for what its failed handshakes have cost. Every worker dies, and others take their places: the
// address is refused by them too, for the rest of its time.

import { test } from 'tap';
import { costlyChain } from '../support/certificates/costly-chain.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { workersOf } from './workers.ts';

const ATTACKER = '127.0.0.2';
/** Near OpenSSL's own limit of 100 KiB. */
const chain = costlyChain(98_000);

/** Many at one moment, so that each worker is shown what they cost. */
async function attack(t: Scope, gate: Gate): Promise<void> {
  const client = await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress: ATTACKER });
  await client.openTls({ ...chain, ca: gate.authority.cert, servername: 'localhost' });
  await client.login({ user: 'mallory' });
}

await test('an address owes a new worker what it owes the others', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    config: { workers: 2 },
  });
  await Promise.allSettled(Array.from({ length: 20 }, async () => await attack(t, gate)));
  await gate.waitForLog(({ code, host }) => code === 'handshake-too-expensive' && host === ATTACKER);
  const from = gate.logLength();
  for (const pid of workersOf(gate)) process.kill(pid, 'SIGKILL');
  // The first of them is enough: nobody else serves by then.
  await gate.waitForLog({ msg: /^worker started with PID/ }, { from });
  const again = await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress: ATTACKER });
  await t.rejects(again.login({ user: 'alice' }), 'it is refused by a worker that has never met it');
  const alice = await connectRaw(t, gate.port);
  t.equal((await alice.login({ user: 'alice' })).error, null, 'others get in');
});
