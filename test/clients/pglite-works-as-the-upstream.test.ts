// PGlite, PostgreSQL compiled to WebAssembly, behind the gate: what the demo runs on.

import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { compatibility } from '../support/pages/compatibility.ts';
import { startGate } from '../support/run/gate.ts';
import { psql } from '../support/peers/psql.ts';
import { atEnd } from '../support/run/scope.ts';
import { needs } from '../support/run/tools.ts';

const page = compatibility(import.meta.url);

await page.row(
  {
    client: 'psql 15, libpq 15',
    server: 'PGlite',
    ran: 'DDL, queries, errors, a transaction, a cursor, COPY to stdout; refused without certificate',
  },
  needs('psql'),
  async (t) => {
    const database = await PGlite.create();
    const upstream = new PGLiteSocketServer({ db: database, host: '127.0.0.1', port: 0, maxConnections: 8 });
    await upstream.start();
    atEnd(t, async () => {
      await upstream.stop();
      await database.close();
    });
    const [host = '', port = ''] = upstream.getServerConn().split(':');
    const gate = await startGate(t, {
      hba: 'hostssl all all all cert',
      upstream: { host, port: Number(port) },
    });
    const certificate = gate.authority.client('postgres');
    const without = {
      host: 'localhost',
      hostaddr: '127.0.0.1',
      port: gate.port,
      user: 'postgres',
      dbname: 'postgres',
      sslmode: 'verify-full',
      sslrootcert: gate.authority.caFile,
    };
    const conninfo = { ...without, sslcert: certificate.certFile, sslkey: certificate.keyFile };
    const version = await psql(conninfo, ['-c', 'select version()']);
    t.match(version.stdout, /^PostgreSQL \d+/, version.stderr);
    const failed = await psql(conninfo, ['-c', 'select 1/0']);
    t.equal(failed.stderr, 'ERROR:  division by zero\n');
    const made = await psql(conninfo, ['-q', '-c', 'create table t as select generate_series(1, 3) as x']);
    t.equal(made.code, 0, made.stderr);
    const cursor = 'begin; declare c cursor for select x from t order by x; fetch 2 from c; commit';
    t.equal((await psql(conninfo, ['-q', '-c', cursor])).stdout, '1\n2\n');
    t.equal((await psql(conninfo, ['-c', 'copy t to stdout'])).stdout, '1\n2\n3\n');
    const refused = await psql(without, ['-c', 'select 1']);
    t.match(refused.stderr, 'FATAL:  connection requires a valid client certificate');
  },
);

await page.complete();
