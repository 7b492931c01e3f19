// PostgreSQL 10 to 18 behind the gate, over TCP and over a Unix socket: what a session needs of each. The versions that
// `npm ci` does not bring run by `npm run test:majors`.

import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Client } from 'pg';
import postgres from 'postgres';
import type { Test } from 'tap';
import { compatibility } from '../support/pages/compatibility.ts';
import { isInstalled, POSTGRES_VERSIONS } from '../support/servers/postgres-binaries.ts';
import { HBA } from '../support/servers/postgres.ts';
import { within } from '../support/run/waiting.ts';
import { behindGate, type BehindGate } from './behind-gate.ts';

const page = compatibility(import.meta.url);

for (const version of POSTGRES_VERSIONS) {
  for (const via of ['TCP', 'Unix socket'] as const) {
    await page.row(
      {
        client: '',
        server: `PostgreSQL ${version}`,
        ran: `${via}: query, error, cancel, COPY both ways, its end seen`,
      },
      isInstalled(version) ? {} : { skip: `PostgreSQL ${version} comes with npm run test:majors` },
      async (t) => {
        const server = { hba: `local all all trust\n${HBA.trust}`, settings: { log_statement: 'all' } };
        const behind = await behindGate(t, { version, via, server });
        await queryAndError(t, behind, version);
        await cancel(t, behind);
        await copy(t, behind);
        await endOfServer(t, behind);
      },
    );
  }
}

function options({ gate, alice }: BehindGate) {
  const ssl = { ca: gate.authority.cert, servername: 'localhost', cert: alice.cert, key: alice.key };
  return { host: '127.0.0.1', port: gate.port, database: 'postgres', user: 'alice', ssl };
}

async function queryAndError(t: Test, behind: BehindGate, version: number): Promise<void> {
  const client = new Client(options(behind));
  await client.connect();
  try {
    const { rows } = await client.query<{ v: number; who: string }>(
      `select current_setting('server_version_num')::int / 10000 as v, current_user as who`,
    );
    t.strictSame(rows, [{ v: version, who: 'alice' }]);
    await t.rejects(client.query('select 1/0'), { code: '22012' });
    await t.rejects(client.query('selec 1'), { code: '42601', position: '1' });
    const { rowCount } = await client.query('select * from generate_series(1, 100000)');
    t.equal(rowCount, 100_000);
  } finally {
    await client.end();
  }
  const elsewhere = new Client({ ...options(behind), database: 'nowhere' });
  await t.rejects(elsewhere.connect(), { code: '3D000', message: 'database "nowhere" does not exist' });
}

async function cancel(t: Test, behind: BehindGate): Promise<void> {
  const sql = postgres({ ...options(behind), max: 1 });
  try {
    const from = behind.server.logLength();
    const sleeping = sql`select pg_sleep(60)`.execute();
    await behind.server.waitForLog(/select pg_sleep\(60\)/, { from });
    sleeping.cancel();
    await t.rejects(within(sleeping, 'the cancelled query'), { code: '57014' });
    t.strictSame([...(await sql`select 1 as one`)], [{ one: 1 }], 'the session goes on');
  } finally {
    await sql.end();
  }
}

async function copy(t: Test, behind: BehindGate): Promise<void> {
  const sql = postgres({ ...options(behind), max: 1 });
  try {
    await sql`create table t (x int)`;
    const lines = Array.from({ length: 10_000 }, (_, n) => `${n}\n`).join('');
    await pipeline(Readable.from([lines]), await sql`copy t from stdin`.writable());
    t.equal(await text(await sql`copy (select x from t order by x) to stdout`.readable()), lines);
  } finally {
    await sql.end();
  }
}

/** A fast shutdown: its 57P01 reaches the client, and the next client is told that nobody is there. */
async function endOfServer(t: Test, behind: BehindGate): Promise<void> {
  const client = new Client(options(behind));
  await client.connect();
  const told = Promise.withResolvers<{ code?: string }>();
  client.once('error', told.resolve);
  process.kill(behind.server.pid, 'SIGINT');
  t.match(await within(told.promise, 'the end of the session'), { code: '57P01' });
  await client.end();
  // It still shuts down, or has gone.
  const late = new Client(options(behind));
  await t.rejects(late.connect(), { code: /^(08006|57P03)$/ });
}

await page.complete();
