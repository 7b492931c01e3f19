// upstream.host and upstream.port lead to the gate itself, and the configuration did not show it: the port was chosen by
// the system, or the host is a name. One client would set off one session after another. The dial is refused, and
// nothing is dialled.

import { readFileSync } from 'node:fs';
import tap, { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

requireNetworkNamespace(tap, { hosts: '127.0.0.1 localhost\n10.55.0.2 db.example\n', nss: 'files' });

const HBA = 'host all all all trust\n';

const table: readonly (readonly [listen: string, upstream: string])[] = [
  ['127.0.0.1', '127.0.0.1'],
  ['127.0.0.1', 'localhost'],
  ['127.0.0.1', '::ffff:127.0.0.1'],
  ['*', '127.0.0.7'],
  ['*', '::1'],
  ['*', '10.55.0.2'],
  ['*', 'db.example'],
];
for (const workers of [1, 2]) {
  for (const [listen, host] of table) {
    await test(`${workers} workers on ${listen}, upstream ${host}`, async (t) => {
      const elsewhere = await scriptedUpstream(t, scripts.trust);
      const gate = await startGate(t, {
        hba: HBA,
        upstream: elsewhere,
        config: { listen_addresses: listen, workers, upstream: { allow_remote: 'on' } },
      });
      const written = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
      const changed = written
        .replace(/^( *)host: .*$/m, `$1host: "${host}"`)
        .replace(`port: ${elsewhere.port}`, `port: ${gate.port}`);
      gate.rewrite('gatehouse.yaml', changed);
      t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);

      const client = await connectRaw(t, gate.port);
      const { error } = await client.login({ user: 'u', database: 'd' });
      t.match(error, { C: '08006', M: 'could not connect to the upstream server' });
      t.match(await gate.waitForLog({ code: 'upstream-is-this-gate' }), {
        hint: /where the PostgreSQL server/,
      });
      t.equal((await gate.admin('/readyz')).status, 503);
      const received = gate.log.filter(({ msg }) => msg.startsWith('connection received'));
      t.equal(received.length, 1, 'one client, one connection');
    });
  }
}
