// Logical replication is an ordinary connection to its database: a database line admits it, not a `replication` line.

import { join } from 'node:path';
import { compatibility } from '../support/pages/compatibility.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { connectionString, runClient } from '../support/peers/psql.ts';
import { needs } from '../support/run/tools.ts';
import { until } from '../session/clients.ts';
import { behindGate } from './behind-gate.ts';

const page = compatibility(import.meta.url);
const DATABASE_ONLY = 'hostssl replication all all reject\nhostssl postgres alice all cert\n';

for (const version of [10, 15, 18] as const) {
  await page.row(
    {
      client: 'pg_recvlogical 15',
      server: `PostgreSQL ${version}`,
      ran: 'the changes of a slot (pgoutput), through a database line; refused without certificate',
    },
    needs('pg_recvlogical'),
    async (t) => {
      const { server, env } = await behindGate(t, { version, hba: DATABASE_ONLY });
      await server.query('create table t (x text); create publication p for all tables');
      await server.query(`select pg_create_logical_replication_slot('s', 'pgoutput')`);
      await server.query(`set synchronous_commit = on; insert into t values ('carried over')`);
      const [row] = await server.query('select pg_current_wal_lsn()::text as lsn');
      const args = ['-d', 'postgres', '--slot', 's', '--start', '-f', '-', '--endpos', String(row?.['lsn'])];
      args.push('-o', 'proto_version=1', '-o', 'publication_names=p');
      const { code, stdout, stderr } = await runClient('pg_recvlogical', args, { env });
      t.equal(code, 0, stderr);
      t.match(stdout, 'carried over');
      const refused = await runClient('pg_recvlogical', [...args, '-n'], {
        env: { ...env, PGSSLCERT: '', PGSSLKEY: '' },
      });
      t.equal(refused.code, 1);
      t.match(refused.stderr, 'FATAL:  connection requires a valid client certificate');
    },
  );
}

for (const version of [10, 18] as const) {
  await page.row(
    {
      client: 'PostgreSQL 18 subscription',
      server: `PostgreSQL ${version}`,
      ran: 'logical replication: a table is copied and followed',
    },
    {},
    async (t) => {
      const { server, gate, alice, conninfo } = await behindGate(t, { version, hba: DATABASE_ONLY });
      await server.query('create table t (x int); insert into t select generate_series(1, 1000)');
      await server.query('create publication p for table t');
      await using subscriber = await startPostgres({ version: 18 });
      await subscriber.query('create table t (x int)');
      subscriber.writeDataFile('alice.crt', alice.cert);
      subscriber.writeDataFile('alice.key', alice.key);
      subscriber.writeDataFile('root.crt', gate.authority.cert);
      const publisher = connectionString({
        ...conninfo,
        sslcert: join(subscriber.dataDir, 'alice.crt'),
        sslkey: join(subscriber.dataDir, 'alice.key'),
        sslrootcert: join(subscriber.dataDir, 'root.crt'),
      });
      await subscriber.query(
        `create subscription sub connection '${publisher.replaceAll("'", "''")}' publication p`,
      );
      await subscriber.waitForLog(
        /table synchronization worker for subscription "sub", table "t" has finished/,
      );
      t.strictSame(await subscriber.query('select count(*)::int from t'), [{ count: 1000 }]);
      await server.query('set synchronous_commit = on; insert into t values (0)');
      await until('the subscriber has it', async () => {
        const [row] = await subscriber.query('select count(*)::int from t');
        return row?.['count'] === 1001;
      });
    },
  );
}

await page.complete();
