// Physical replication through the gate: a backup, and a standby whose walreceiver shows a certificate of its own.
// Only a `replication` line admits them.

import { appendFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { compatibility } from '../support/pages/compatibility.ts';
import { runAsServer, serverAccount } from '../support/servers/postgres-binaries.ts';
import { startPostgres, type PostgresServer } from '../support/servers/postgres.ts';
import { runToEnd } from '../support/run/program.ts';
import { connectionString, runClient } from '../support/peers/psql.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';
import { until } from '../session/clients.ts';
import { behindGate, type BehindGate } from './behind-gate.ts';

const page = compatibility(import.meta.url);
const REPLICATION_ONLY = 'hostssl replication alice all cert\nhost all all all reject\n';

await page.row(
  {
    client: 'pg_basebackup 15',
    server: 'PostgreSQL 15',
    ran: 'a backup with streamed WAL through a `replication` line, its manifest verified; refused without certificate',
  },
  needs('pg_basebackup', 'pg_verifybackup'),
  async (t) => {
    const { gate, env } = await behindGate(t, { version: 15, hba: REPLICATION_ONLY });
    const target = join(temporaryDirectory(t), 'backup');
    const args = ['-X', 'stream', '-c', 'fast', '-D'];
    const { code, stderr } = await runClient('pg_basebackup', [...args, target], { env });
    t.equal(code, 0, stderr);
    const verified = await runClient('pg_verifybackup', ['-n', target]);
    t.match(verified.stdout, 'backup successfully verified', verified.stderr);
    const refused = await runClient('pg_basebackup', [...args, `${target}-2`], {
      env: { ...env, PGSSLCERT: '', PGSSLKEY: '' },
    });
    t.equal(refused.code, 1);
    t.match(refused.stderr, 'FATAL:  connection requires a valid client certificate');
    await gate.waitForLog({ code: 'client-cert-required' });
  },
);

for (const version of [10, 15, 18] as const) {
  await page.row(
    {
      client: `PostgreSQL ${version} standby`,
      server: `PostgreSQL ${version}`,
      ran: 'streaming replication by a standby whose walreceiver shows a certificate: what the primary commits is there',
    },
    version === 18 ? {} : needs('pg_basebackup'),
    async (t) => {
      const behind = await behindGate(t, { version, hba: REPLICATION_ONLY });
      const { server } = behind;
      await server.query('create table t as select generate_series(1, 1000) as x');
      // Test servers commit asynchronously and are stopped at once: only a checkpoint puts the table on the disk
      // before the cold copy.
      await server.query('checkpoint');
      await using standby = await startPostgres({ version });
      await becomeStandby(standby, behind);
      await standby.waitForLog(/started streaming WAL from primary/);
      t.strictSame(await standby.query('select count(*)::int from t'), [{ count: 1000 }]);
      await server.query('insert into t select generate_series(1, 1000)');
      await until('the standby has it', async () => {
        const [row] = await standby.query('select count(*)::int from t');
        return row?.['count'] === 2000;
      });
    },
  );
}

/** Turns a running server into a standby of the one behind the gate. */
async function becomeStandby(standby: PostgresServer, { server, gate, alice, conninfo, env }: BehindGate) {
  await standby.stop({ keepDirectory: true });
  const own = ['postgresql.conf', 'pg_hba.conf'].map(
    (file) => [file, readFileSync(join(standby.dataDir, file))] as const,
  );
  rmSync(standby.dataDir, { recursive: true });
  if (server.version === 18) {
    // There is no pg_basebackup 18 in the registries, and 15's does not know this server: a cold copy instead.
    await server.stop({ keepDirectory: true });
    runAsServer('cp', ['-Rp', server.dataDir, standby.dataDir]);
    await server.start();
  } else {
    const args = ['-D', standby.dataDir, '-X', 'stream', '-c', 'fast'];
    const { code, stderr } = await runClient('pg_basebackup', args, { env });
    if (code !== 0) throw new Error(stderr);
    const { uid, gid } = serverAccount();
    await runToEnd('chown', ['-R', `${uid}:${gid}`, standby.dataDir]);
  }
  for (const [file, content] of own) standby.writeDataFile(file, content);
  standby.writeDataFile('alice.crt', alice.cert);
  standby.writeDataFile('alice.key', alice.key);
  standby.writeDataFile('root.crt', gate.authority.cert);
  const { dbname: _, ...primary } = conninfo;
  const files = { sslcert: 'alice.crt', sslkey: 'alice.key', sslrootcert: 'root.crt' };
  const places = Object.fromEntries(
    Object.entries(files).map(([name, file]) => [name, join(standby.dataDir, file)]),
  );
  const setting = `primary_conninfo = '${connectionString({ ...primary, ...places }).replaceAll("'", "''")}'\n`;
  if (server.version === 10) {
    standby.writeDataFile('recovery.conf', `standby_mode = on\n${setting}`);
  } else {
    standby.writeDataFile('standby.signal', '');
    appendFileSync(join(standby.dataDir, 'postgresql.conf'), setting);
  }
  await standby.start();
}

await page.complete();
