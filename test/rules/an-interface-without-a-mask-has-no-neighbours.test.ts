// An interface may have the mask 0.0.0.0, as tunnels do. PostgreSQL counts it for its own address alone. By the mask as it
// stands the whole world would be in its subnet, and `samenet` would be `all`.

import { spawnSync } from 'node:child_process';
import tap, { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { toolPath } from '../support/run/tools.ts';

requireNetworkNamespace(tap, { hosts: '127.0.0.1 localhost\n', nss: 'files' });

const HBA = 'host all all samenet trust\nhost all all all reject\n';

await test('who is in the subnets of this host', async (t) => {
  for (const address of ['10.66.0.1/0', 'fd66::1/0']) {
    t.equal(spawnSync(toolPath('ip'), ['address', 'add', address, 'dev', 'lo']).status, 0, address);
  }
  const upstream = await scriptedUpstream(t, scripts.trust);
  await using server = await startPostgres({ version: 18, hba: HBA, settings: { listen_addresses: '*' } });
  const gate = await startGate(t, { hba: HBA, upstream, config: { listen_addresses: '*' } });
  const table: readonly (readonly [host: string, code: string | undefined])[] = [
    ['10.66.0.1', undefined],
    ['fd66::1', undefined],
    ['10.55.0.9', undefined],
    ['192.0.2.7', '28000'],
    ['2001:db8::7', '28000'],
  ];
  for (const [host, code] of table) {
    const port =
      gate.listeners.find(({ address }) => address.includes(':') === host.includes(':'))?.port ?? 0;
    for (const [who, at] of [
      ['PostgreSQL', server.port],
      ['the gate', port],
    ] as const) {
      const client = await connectRaw(t, { host, port: at, localAddress: host });
      const { error } = await client.login({ user: 'postgres', database: 'postgres' });
      t.equal(error?.['C'], code, `${host}, asked of ${who}`);
      client.destroy();
    }
  }
});
