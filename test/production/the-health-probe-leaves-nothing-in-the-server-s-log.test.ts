// The health probe before real servers: PostgreSQL 10, 15 and 18, with and without TLS of their own, log nothing of it.

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { startPostgres, type PostgresVersion } from '../support/servers/postgres.ts';

const HBA = 'hostssl all all all cert\n';
const VERSIONS: readonly PostgresVersion[] = [10, 15, 18];

for (const version of VERSIONS) {
  for (const ssl of ['off', 'on']) {
    await test(`PostgreSQL ${version}, ssl = ${ssl}`, async (t) => {
      const authority = testAuthority(t);
      await using server = await startPostgres({
        version,
        ...(ssl === 'on' ? { ssl: authority.server() } : {}),
        // Everything that a connection can make it log.
        settings: { log_min_messages: 'log', log_connections: 'off' },
      });
      const from = server.logLength();
      for (const upstream of [server, { host: server.socketDir, port: server.port }]) {
        const gate = await startGate(t, { hba: HBA, authority, upstream });
        const { status, body } = await gate.admin('/readyz');
        t.equal(status, 200, body);
        t.equal((await gate.metrics()).value('upstream_up'), 1);
        await gate.stop();
      }
      // A fast shutdown waits for every process of the server, so all that there is to log is in the log then.
      process.kill(server.pid, 'SIGINT');
      await server.waitForLog(/database system is shut down/);
      const lines = server.log().split('\n').slice(from);
      const shutdown = lines.findIndex((line) => line.includes('received fast shutdown request'));
      t.ok(shutdown >= 0);
      t.strictSame(lines.slice(0, shutdown), [], 'nothing is logged of the probes');
      t.notMatch(lines.join('\n'), /startup packet|SSL connection|EOF|reset/);
    });
  }
}
