// The drivers that people have, each with ten statements with parameters, an error that the session survives, and a time
// read as a time: simple and extended protocol, text and binary.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import postgres from 'postgres';
import { environment } from '../clients/behind-gate.ts';
import { runToEnd } from '../support/run/program.ts';
import { needs, toolPath, type Tool } from '../support/run/tools.ts';
import { compatibility } from '../support/pages/compatibility.ts';
import { CONSOLE } from '../support/pages/compatibility-page.ts';
import { atConsole, type AtConsole } from './at-console.ts';

const page = compatibility(import.meta.url);

const RAN = 'ten statements with parameters, text and binary results as the driver asks, an error, a time';

const JDBC: Tool = '/usr/share/java/postgresql.jar';

/** What the ten statements answer, then the error and the time: booleans and the timestamp's as the driver prints them. */
function answers(isTrue: string, isFalse: string, last = isTrue): string[] {
  const found = ['42', 'é', '1', isTrue, '/CN=alice', 'on', 'alice', '1', '1000', isFalse];
  return [...found, '42P01', last];
}

interface Driver {
  readonly name: string;
  readonly tools: readonly Tool[];
  readonly command: (at: AtConsole) => readonly string[];
  readonly output: readonly string[];
}

const drivers: readonly Driver[] = [
  {
    name: 'psycopg 3',
    tools: ['/usr/lib/python3/dist-packages/psycopg/__init__.py'],
    command: () => ['/usr/bin/python3', fixture('with-psycopg.py')],
    output: [...answers('True', 'False'), ...answers('True', 'False')],
  },
  {
    name: 'psycopg 2',
    tools: ['/usr/lib/python3/dist-packages/psycopg2/__init__.py'],
    command: () => ['/usr/bin/python3', fixture('with-psycopg2.py')],
    output: answers('True', 'False'),
  },
  {
    name: 'asyncpg 0.27',
    tools: ['/usr/lib/python3/dist-packages/asyncpg/__init__.py'],
    command: () => ['/usr/bin/python3', fixture('with-asyncpg.py')],
    output: answers('True', 'False'),
  },
  {
    name: 'pgJDBC 42.5',
    tools: [JDBC, 'javac'],
    command: (at) => [
      join(toolPath('javac'), '..', 'java'),
      '-Dfile.encoding=UTF-8',
      '-Dstdout.encoding=UTF-8',
      '-cp',
      JDBC,
      fixture('WithJdbc.java'),
      jdbcUrl(at),
    ],
    output: answers('true', 'false'),
  },
  {
    name: 'DBD::Pg 3',
    tools: ['/var/lib/dpkg/info/libdbd-pg-perl.list'],
    command: () => ['/usr/bin/perl', fixture('with-dbd-pg.pl')],
    output: answers('1', '0'),
  },
  {
    name: 'Ruby pg 1.4',
    tools: ['/usr/lib/ruby/vendor_ruby/pg.rb'],
    command: () => ['/usr/bin/ruby', fixture('with-ruby-pg.rb')],
    output: answers('t', 'f'),
  },
];

for (const { name, tools, command, output } of drivers) {
  await page.row({ client: name, server: CONSOLE, ran: RAN }, needs(...tools), async (t) => {
    const at = await atConsole(t, { upstream: null });
    const [program = '', ...args] = command(at);
    const env = { ...environment(at.conninfo('alice')), PYTHONIOENCODING: 'utf8', LC_ALL: 'C.UTF-8' };
    const { stdout, stderr, code } = await runToEnd(program, args, { env });
    t.strictSame(stdout.trimEnd().split('\n'), output, stderr);
    t.equal(code, 0);
  });
}

const hour = (): Date => new Date(Date.now() - 3_600_000);

await page.row({ client: 'node-postgres 8', server: CONSOLE, ran: RAN }, {}, async (t) => {
  const client = new Client(options(await atConsole(t, { upstream: null })));
  await client.connect();
  try {
    for (const [text, values, expected] of [
      ['select $1::int + 1 as x', [41], 42],
      ['select $1::text as x', ['é'], 'é'],
      ['select count(*) as x from rules where line = $1', [1], '1'],
      ['select ssl as x from pg_stat_ssl where pid = pg_backend_pid() and ssl = $1', [true], true],
      [
        'select client_dn as x from pg_stat_ssl where version = $1 and pid >= $2 limit $3',
        ['TLSv1.3', 2 ** 30, 1],
        '/CN=alice',
      ],
      ['select setting as x from settings where name = $1', ['ssl'], 'on'],
      ['select usename as x from pg_stat_activity where backend_start > $1', [hour()], 'alice'],
      [
        'select count(*) as x from metrics where name like $1 and value >= $2',
        ['gatehouse_sessions', 0],
        '1',
      ],
      ['select current_setting($1) as x', ['max_handshakes'], '1000'],
      ['select pg_terminate_backend($1) as x', [1], false],
    ] as const) {
      const { rows } = await client.query({ name: text.slice(0, 60), text, values: [...values] });
      t.strictSame(rows, [{ x: expected }], text);
    }
    await t.rejects(client.query('select * from nowhere'), { code: '42P01' });
    const several = await client.query('select 1 as x; show ssl; begin; select 2 as x; commit');
    t.match(several, [{ rows: [{ x: 1 }] }, { rows: [{ ssl: 'on' }] }, {}, { rows: [{ x: 2 }] }, {}]);
    const { rows } = await client.query('select backend_start from pg_stat_activity');
    t.match(rows, [{ backend_start: Date }]);
  } finally {
    await client.end();
  }
});

await page.row({ client: 'postgres.js 3', server: CONSOLE, ran: RAN }, {}, async (t) => {
  const sql = postgres({
    ...options(await atConsole(t, { upstream: null })),
    max: 1,
    onnotice: () => undefined,
  });
  try {
    const asked = [
      [await sql`select ${41}::int + 1 as x`, 42],
      [await sql`select ${'é'}::text as x`, 'é'],
      [await sql`select count(*) as x from rules where line = ${1}`, '1'],
      [await sql`select ssl as x from pg_stat_ssl where pid = pg_backend_pid() and ssl = ${true}`, true],
      [
        await sql`select client_dn as x from pg_stat_ssl where version = ${'TLSv1.3'} and pid >= ${2 ** 30} limit ${1}`,
        '/CN=alice',
      ],
      [await sql`select setting as x from settings where name = ${'ssl'}`, 'on'],
      [await sql`select usename as x from pg_stat_activity where backend_start > ${hour()}`, 'alice'],
      [
        await sql`select count(*) as x from metrics where name like ${'gatehouse_sessions'} and value >= ${0.5 - 0.5}`,
        '1',
      ],
      [await sql`select current_setting(${'max_handshakes'}) as x`, '1000'],
      [await sql`select pg_terminate_backend(${1}) as x`, false],
    ] as const;
    for (const [rows, expected] of asked) t.strictSame([...rows], [{ x: expected }]);
    await t.rejects(sql`select * from nowhere`.execute(), { code: '42P01' });
    const seen: unknown[] = [];
    await sql`select name from settings`.cursor(10, (rows) => {
      seen.push(...rows.map(({ name }) => name));
    });
    t.equal(seen.length, Number((await sql`select count(*) as n from settings`)[0]?.['n']), 'ten at a time');
    await sql.begin((tx) => [tx`select 1`, tx`select 2`]);
  } finally {
    await sql.end();
  }
});

function options({ gate, credentials }: AtConsole) {
  const { cert, key } = credentials('alice');
  return {
    host: '127.0.0.1',
    port: gate.port,
    database: 'gatehouse',
    user: 'alice',
    ssl: { ca: gate.authority.cert, servername: 'localhost', cert, key },
  };
}

function fixture(file: string): string {
  return fileURLToPath(new URL(`../fixtures/console/${file}`, import.meta.url));
}

/** pgJDBC reads keys as PKCS #8 in DER only. */
function jdbcUrl({ gate, credentials }: AtConsole): string {
  const alice = credentials('alice');
  const keyFile = gate.path('alice.pk8');
  const base64 = alice.key.replaceAll(/-----[^-]+-----|\s/g, '');
  writeFileSync(keyFile, Buffer.from(base64, 'base64'), { mode: 0o600 });
  const parameters = new URLSearchParams({
    user: 'alice',
    sslmode: 'verify-full',
    sslrootcert: gate.authority.caFile,
    sslcert: alice.certFile,
    sslkey: keyFile,
  });
  return `jdbc:postgresql://localhost:${gate.port}/gatehouse?${parameters.toString()}`;
}

await page.complete();
