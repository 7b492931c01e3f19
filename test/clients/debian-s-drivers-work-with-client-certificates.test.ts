// The drivers that Debian has, each with a small program of its own (test/fixtures/clients) that shows a certificate
// and prints what worked; without the certificate each is told why not.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compatibility } from '../support/pages/compatibility.ts';
import { runToEnd } from '../support/run/program.ts';
import { needs, toolPath, type Tool } from '../support/run/tools.ts';
import { behindGate, type BehindGate } from './behind-gate.ts';

interface Driver {
  readonly client: string;
  readonly tools: readonly Tool[];
  readonly ran: string;
  readonly command: (behind: BehindGate, certificate: boolean) => readonly string[];
  readonly output: readonly string[];
}

const page = compatibility(import.meta.url);
const JDBC: Tool = '/usr/share/java/postgresql.jar';
const ODBC: Tool = '/usr/lib/x86_64-linux-gnu/odbc/psqlodbcw.so';

const drivers: readonly Driver[] = [
  {
    client: 'psycopg 3',
    tools: ['/usr/lib/python3/dist-packages/psycopg/__init__.py'],
    ran: 'queries, prepared statements, errors, pipeline mode, COPY, server-side cursor, LISTEN, cancel',
    // Debian's own Python, whichever else comes first in the PATH.
    command: () => ['/usr/bin/python3', fixture('with-psycopg.py')],
    output: [
      'user alice',
      'prepared 2',
      'prepared 4',
      'error 22012',
      'pipelined 124750',
      'copied 10000',
      'cursor 500500',
      'notified extra',
      'cancelled 57014',
    ],
  },
  {
    client: 'asyncpg 0.27',
    tools: ['/usr/lib/python3/dist-packages/asyncpg/__init__.py'],
    ran: 'queries, prepared statements, errors, COPY, cursor, LISTEN, cancel by timeout',
    command: () => ['/usr/bin/python3', fixture('with-asyncpg.py')],
    output: [
      'user alice',
      'prepared 2',
      'prepared 4',
      'error 22012',
      'copied 10000',
      'cursor 500500',
      'notified extra',
      'cancelled and alive',
    ],
  },
  {
    client: 'pgJDBC 42.5',
    tools: [JDBC, 'javac'],
    ran: 'queries, server-side prepared statements, errors, batches, COPY, cursor fetch, LISTEN, cancel by timeout',
    command: (behind, certificate) => [
      join(toolPath('javac'), '..', 'java'),
      '-cp',
      JDBC,
      fixture('WithJdbc.java'),
      jdbcUrl(behind, certificate),
    ],
    output: [
      'user alice',
      'prepared 2',
      'prepared 20',
      'error 22012',
      'batched 1000',
      'copied in 10000',
      'copied out 11000',
      'cursor 500500',
      'notified extra',
      'cancelled 57014',
    ],
  },
  {
    client: 'DBD::Pg 3',
    tools: ['/var/lib/dpkg/info/libdbd-pg-perl.list'],
    ran: 'queries, prepared statements, errors, COPY, large objects, LISTEN',
    command: () => ['/usr/bin/perl', fixture('with-dbd-pg.pl')],
    output: [
      'user alice',
      'prepared 2',
      'prepared 4',
      'error 22012',
      'copied 10000',
      'large object 1000000',
      'notified extra',
    ],
  },
  {
    client: 'Ruby pg 1.4',
    tools: ['/usr/lib/ruby/vendor_ruby/pg.rb'],
    ran: 'queries, prepared statements, errors, COPY, single-row mode, large objects, LISTEN',
    command: () => ['/usr/bin/ruby', fixture('with-ruby-pg.rb')],
    output: [
      'user alice',
      'prepared 2',
      'prepared 4',
      'error 22012',
      'copied 10000',
      'row by row 500500',
      'large object 1000000',
      'notified extra',
    ],
  },
];

for (const { client, tools, ran, command, output } of drivers) {
  await page.row(
    { client, server: 'PostgreSQL 18', ran: `${ran}; refused without certificate` },
    needs(...tools),
    async (t) => {
      const behind = await behindGate(t);
      const [program = '', ...args] = command(behind, true);
      const worked = await runToEnd(program, args, { env: behind.env });
      t.equal(worked.stdout, output.map((line) => `${line}\n`).join(''), worked.stderr);
      t.equal(worked.code, 0);
      const { PGSSLCERT: _, PGSSLKEY: __, ...without } = behind.env;
      const [, ...otherArgs] = command(behind, false);
      const refused = await runToEnd(program, otherArgs, { env: without });
      t.not(refused.code, 0);
      t.match(refused.stderr, 'connection requires a valid client certificate');
    },
  );
}

await page.row(
  {
    client: 'psqlODBC 13 with unixODBC',
    server: 'PostgreSQL 18',
    ran: 'queries, errors; refused without certificate',
  },
  needs('isql', ODBC),
  async (t) => {
    const { gate, env } = await behindGate(t);
    const place = `DRIVER=${ODBC};SERVER=localhost;PORT=${gate.port};DATABASE=postgres;UID=alice;SSLMODE=verify-full`;
    const statements = ['select current_user', 'select 41 + 1', 'select 1/0', `select 'after the error'`];
    const args = ['-b', '-v', '-x9', '-k', place];
    const worked = await runToEnd(toolPath('isql'), args, { env, input: `${statements.join('\n')}\n` });
    t.match(worked.stdout, /alice[^]*42[^]*after the error/, worked.stderr);
    t.match(worked.stdout + worked.stderr, 'division by zero');
    const { PGSSLCERT: _, PGSSLKEY: __, ...without } = env;
    const refused = await runToEnd(toolPath('isql'), args, { env: without, input: 'select 1\n' });
    t.match(refused.stdout + refused.stderr, 'connection requires a valid client certificate');
    t.not(refused.code, 0);
  },
);

function fixture(file: string): string {
  return fileURLToPath(new URL(`../fixtures/clients/${file}`, import.meta.url));
}

/** pgJDBC reads keys as PKCS #8 in DER only. */
function jdbcUrl({ gate, alice }: BehindGate, certificate: boolean): string {
  const keyFile = gate.path('alice.pk8');
  const base64 = alice.key.replaceAll(/-----[^-]+-----|\s/g, '');
  writeFileSync(keyFile, Buffer.from(base64, 'base64'), { mode: 0o600 });
  const parameters = new URLSearchParams({
    user: 'alice',
    sslmode: 'verify-full',
    sslrootcert: gate.authority.caFile,
    ...(certificate ? { sslcert: alice.certFile, sslkey: keyFile } : {}),
  });
  return `jdbc:postgresql://localhost:${gate.port}/postgres?${parameters.toString()}`;
}

await page.complete();
