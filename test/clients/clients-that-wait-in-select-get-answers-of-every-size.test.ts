// libpq's asynchronous clients read what fits and then wait in select(). Before PostgreSQL itself that works because its
// TLS records never hold more than 8,192 bytes. Through the gate it must work too, at every size of an answer.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compatibility } from '../support/pages/compatibility.ts';
import { nativeFolder } from '../support/servers/postgres-binaries.ts';
import { runToEnd } from '../support/run/program.ts';
import { runClient } from '../support/peers/psql.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';
import { behindGate } from './behind-gate.ts';

const PSYCOPG = '/usr/lib/python3/dist-packages/psycopg/__init__.py';
const SCRIPT = fileURLToPath(new URL('../fixtures/clients/waits-in-select.py', import.meta.url));
const LIBPQ_18 = join(nativeFolder(18), 'lib');

const page = compatibility(import.meta.url);

await page.row(
  {
    client: 'libpq 18, psycopg 3',
    server: 'PostgreSQL 18',
    ran: 'clients that wait in select(), in a loop over plain libpq, in psycopg and in asyncio: answers of every size',
  },
  needs(PSYCOPG),
  async (t) => {
    const { env } = await behindGate(t);
    const clients: readonly (readonly [sizes: number, ...args: string[]])[] = [
      [2000, 'libpq', join(LIBPQ_18, 'libpq.so.5')],
      [400, 'psycopg'],
      [400, 'asyncio'],
    ];
    for (const [sizes, ...args] of clients) {
      const own = args[0] === 'libpq' ? { LD_LIBRARY_PATH: LIBPQ_18 } : {};
      const finished = await runToEnd('/usr/bin/python3', [SCRIPT, ...args, String(sizes)], {
        env: { ...env, ...own },
      });
      t.equal(finished.stdout, `${sizes} answers\n`, `${args[0]}: ${finished.stderr.slice(-300)}`);
    }
  },
);

await page.row(
  {
    client: 'pg_basebackup 15, pg_receivewal 15',
    server: 'PostgreSQL 15',
    ran: 'a backup with streamed WAL, then whole segments of WAL through a replication slot',
  },
  needs('pg_basebackup', 'pg_receivewal', 'psql'),
  async (t) => {
    const { server, env } = await behindGate(t, { version: 15 });
    const directory = temporaryDirectory(t);
    const backup = await runClient(
      'pg_basebackup',
      ['-D', join(directory, 'base'), '-X', 'stream', '-c', 'fast'],
      {
        env,
      },
    );
    t.equal(backup.code, 0, backup.stderr);

    // With a slot pg_receivewal begins where the slot does, before what is written now: two segments of 16 MB.
    await server.query("select pg_create_physical_replication_slot('kept', true)");
    await server.query(
      'create table filler as select repeat(md5(i::text), 50) from generate_series(1, 20000) i',
    );
    const [position] = await server.query('select pg_current_wal_flush_lsn()::text as lsn');
    const end = String(position?.['lsn']);
    const options = ['--slot', 'kept', '--no-loop', '--endpos', end];
    const wal = await runClient('pg_receivewal', ['-D', directory, ...options], { env });
    t.equal(wal.code, 0, wal.stderr);
    t.ok(
      readdirSync(directory).some((name) => /^[0-9A-F]{24}$/.test(name)),
      'a whole segment has arrived',
    );
  },
);

await page.complete();
