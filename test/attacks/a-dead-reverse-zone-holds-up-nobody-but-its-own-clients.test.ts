// A line names a host, and clients come from addresses whose name servers never answer. Each of their look-ups blocks a
// thread of the resolver for as long as it waits. So one is asked at a time for a zone, none for a client that has gone,
// and an answer is kept for a while: clients of other zones, and logins, get through meanwhile.

import tap, { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { nameServer, reverseName, type Knowledge } from '../support/servers/name-server.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import { connectRaw, startupMessage, type RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import type { Scope } from '../support/run/scope.ts';

requireNetworkNamespace(tap, { hosts: '127.0.0.1 localhost\n' });

const HBA = 'host all all app.example trust\nhost all all all reject\n';
const STARTUP = startupMessage({ user: 'u', database: 'd' });
function dead(address: string): readonly [string, Knowledge] {
  return [reverseName(address), 'silence'];
}

async function stranger(t: Scope, port: number, address: string): Promise<RawClient> {
  const client = await connectRaw(t, { host: '127.0.0.1', port, localAddress: address });
  await client.send(STARTUP);
  return client;
}

async function codeFor(t: Scope, port: number, address: string): Promise<string | undefined> {
  const client = await connectRaw(t, { host: '127.0.0.1', port, localAddress: address });
  const { error } = await client.login({ user: 'u', database: 'd' });
  client.destroy();
  return error?.['C'];
}

const LIVING: readonly (readonly [string, Knowledge])[] = [
  [reverseName('10.77.0.1'), { name: 'app.example' }],
  ['app.example', { address: '10.77.0.1' }],
];

await test('twenty strangers of one dead zone, of whom nineteen leave', async (t) => {
  const addresses = Array.from({ length: 20 }, (_, index) => `10.66.0.${index + 1}`);
  const names = await nameServer(t, [...addresses.map(dead), ...LIVING]);
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: HBA, upstream: { host: 'localhost', port: upstream.port } });
  const strangers: RawClient[] = [];
  for (const address of addresses) strangers.push(await stranger(t, gate.port, address));
  await names.asked(`PTR ${reverseName('10.66.0.1')}`);
  for (const client of strangers.slice(1)) client.destroy();
  for (const address of addresses.slice(1)) {
    await gate.waitForLog((line) => line.code === 'client-gave-up' && line['host'] === address);
  }

  t.equal(await codeFor(t, gate.port, '10.77.0.1'), undefined, 'the living get in');
  t.notOk(
    gate.log.some(({ code }) => code === 'hba-reject'),
    'while the dead one is still being asked',
  );
  names.known.set(reverseName('10.66.0.1'), 'no such name');
  names.breakSilence(reverseName('10.66.0.1'));
  await gate.waitForLog((line) => line.code === 'hba-reject' && line['host'] === '10.66.0.1');
  t.equal(await codeFor(t, gate.port, '10.66.0.1'), '28000', 'a failure is kept');
  t.equal(await codeFor(t, gate.port, '10.77.0.1'), undefined, 'and so is a name');
  t.strictSame(
    names.questions.filter((question) => question.startsWith('PTR')).toSorted(),
    [`PTR ${reverseName('10.66.0.1')}`, `PTR ${reverseName('10.77.0.1')}`],
    'nobody was asked for twice, or after having left',
  );
});
