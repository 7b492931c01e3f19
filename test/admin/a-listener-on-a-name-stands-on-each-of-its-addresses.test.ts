// admin.listen with a host name is every address that the name resolves to, as in listen_addresses. The gate runs with an
// /etc/hosts of its own, in which localhost is 127.0.0.1 and ::1.

import { once } from 'node:events';
import { connect } from 'node:net';
import tap, { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { requireTools } from '../support/run/tools.ts';

const OWN_HOSTS = 'exec unshare -m sh -c \'mount --bind hosts /etc/hosts; exec "$0" "$@"\' "$0" "$@"';

requireTools(tap, 'unshare', 'mount');

await test('localhost', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 9 },
    config: { admin: { listen: 'localhost:0' } },
    files: { hosts: '127.0.0.1 localhost\n::1 localhost\n' },
    prelude: OWN_HOSTS,
  });
  const { port } = new URL(gate.adminUrl);
  for (const host of ['127.0.0.1', '[::1]']) {
    const answer = await fetch(`http://${host}:${port}/healthz`, { headers: { connection: 'close' } });
    t.equal(answer.status, 200, host);
    await answer.text();
  }
  const exit = await gate.stop();
  t.equal(exit.code, 0, 'neither holds the end up');
  for (const host of ['127.0.0.1', '::1']) {
    const refused = connect(Number(port), host);
    t.match(
      await once(refused, 'error').catch((error: unknown) => [error]),
      [{ code: 'ECONNREFUSED' }],
      host,
    );
  }
});
