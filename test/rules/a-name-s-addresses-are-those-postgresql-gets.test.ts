// On a machine whose only IPv6 address is ::1, as most containers are, `localhost` has no IPv6 address for PostgreSQL: it
// asks the resolver without hints, which leaves out a family that the machine has no address of. A line for localhost
// does not match a client from ::1 there.

import tap, { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

requireNetworkNamespace(tap, {
  hosts: '127.0.0.1 localhost\n::1 localhost\n10.55.0.2 two.example\n',
  nss: 'files',
});

const HBA = 'host all all localhost trust\nhost all all two.example trust\nhost all all all reject\n';

await test('who is localhost', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  await using server = await startPostgres({ version: 18, hba: HBA, settings: { listen_addresses: '*' } });
  const gate = await startGate(t, { hba: HBA, upstream, config: { listen_addresses: '*' } });
  const table: readonly (readonly [host: string, code: string | undefined])[] = [
    ['127.0.0.1', undefined],
    ['10.55.0.2', undefined],
    ['::1', '28000'],
  ];
  for (const [host, code] of table) {
    const port =
      gate.listeners.find(({ address }) => address.includes(':') === host.includes(':'))?.port ?? 0;
    for (const [who, at] of [
      ['the gate', port],
      ['PostgreSQL', server.port],
    ] as const) {
      const client = await connectRaw(t, { host, port: at, localAddress: host });
      const { error } = await client.login({ user: 'postgres', database: 'postgres' });
      t.equal(error?.['C'], code, `${host}, asked of ${who}`);
      client.destroy();
    }
  }
  t.match(await gate.waitForLog({ code: 'hba-reject' }), { host: '::1' });
});
