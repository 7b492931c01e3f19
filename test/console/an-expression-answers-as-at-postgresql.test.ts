// What a monitoring query is made of (comparisons, ratios, casts, aggregates, moments) has the name, the type, the value and
// the error at the console that it has at a PostgreSQL 18: a boolean is `t`, and no division by zero is a null.

import { Client, DatabaseError, type QueryArrayConfig } from 'pg';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { atEnd } from '../support/run/scope.ts';
import { startPostgres } from '../support/servers/postgres.ts';

/** One a line. */
function linesOf(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
}

/** Of literals. */
const expressions = linesOf(String.raw`
  1 = 1
  1 < 2 AS x
  'a' = 'b'
  NOT true
  true
  false
  true AND false
  null
  null IS NULL
  null = null
  true IS TRUE
  1 IS DISTINCT FROM 2
  1 IN (1, 2)
  1 BETWEEN 0 AND 2
  'a' LIKE 'A'
  'a' ~ 'A'
  'a' ILIKE 'A'
  EXISTS (SELECT 1)
  1 <> 2, 1 != 2
  now() IS NOT NULL
  1/0
  1%0
  1.5/0
  1 / (2 - 2)
  1/-0
  1/0.0::float8
  5/2
  -7/2
  7 % -3
  6/2/3
  6/(4/2)
  CASE WHEN false THEN 1/0 END
  1/NULLIF(0, 0)
  1.5
  1e3
  2147483647 + 1
  9223372036854775807 + 1
  2147483648
  abs(-1)
  round(1.567, 2)
  round(2)
  ceil(1.2)
  coalesce(null, 1)
  1 + 1.5
  '5'::int + 1
  'x'::int
  '1.7'::int
  1.7::int
  CAST('12' AS int)
  CAST('x' AS int)
  CAST(1 AS text)
  CAST(1 AS bool)
  't'::bool
  'yes'::boolean
  'x'::boolean
  true::text
  true::int
  '1'::bigint
  'x'::float8
  '1.5'::float8
  'x'::numeric
  1.567::numeric(10, 2)
  70000::smallint
  '9999999999'::bigint::int
  '2026-01-31'::date
  'x'::date
  CAST('2026-01-31 12:00' AS timestamptz)
  CASE WHEN 1 = 1 THEN 'a' END
  CASE WHEN 1 = 1 THEN 1 ELSE 2 END AS c
  (SELECT count(*) WHERE false)
  count(*) > 0
  upper($$a$$)
  1 AS "x y"
  date_trunc('hour', '2026-01-31 12:34'::timestamptz)
  extract(epoch FROM '2026-01-31'::timestamptz) > 0
  extract(hour FROM '2026-01-31 12:34'::timestamptz) = 12
  '2026-01-31'::date - 7
  '2026-01-31'::date + 1
  ('2026-01-31 12:00'::timestamptz - interval '1 h 2m 3 s 4 ms') = '2026-01-31 10:57:56.996'::timestamptz
  ('2026-01-31 12:00'::timestamptz + interval '1w 2 days 3hrs') = '2026-02-09 15:00'::timestamptz
  current_date = now()::date
  current_date - 1 < current_date
  now() - 5
  current_timestamp > now() - interval '1 hour'
`);

/** Of the console's own row of pg_stat_ssl, as of the session's own at the server. */
const columns = linesOf(String.raw`
  max(pid) > 0
  pid IS NOT NULL
  NOT ssl
  NOT ssl AS n
  coalesce(ssl, false)
  ssl::text
  ssl::int
  bool_and(ssl)
  bool_or(ssl)
  min(bits)
  max(bits)
  avg(bits)
  sum(bits)
  CAST(ssl AS text)
  sum(CASE WHEN ssl THEN 1 ELSE 0 END)
  count(*)/0
  100 * count(*) FILTER (WHERE ssl) / count(*)
  count(*) FILTER (WHERE ssl)::float8 / count(*)
  bits + 1
  -bits
  pid = pg_backend_pid() AS me
  CASE WHEN ssl THEN 'yes' ELSE 'no' END AS tls
  count(*) FILTER (WHERE ssl)
  count(ssl)
  ssl
`);

/** Of its own row of pg_stat_activity. */
const conditions = linesOf(String.raw`
  backend_start > 'yesterday'
  backend_start < 'today'
  backend_start > '2026'
  backend_start > 'x'
  backend_start IN ('2020-01-01')
  backend_start NOT IN ('2020-01-01', 'now')
  '2020-01-01' < backend_start
  backend_start BETWEEN '2020-01-01' AND 'tomorrow'
  backend_start::date = current_date
  pid = 'x'
  backend_start::date = 'yesterday'
  backend_start > current_date - 1
  backend_start < current_date - 7
  usename > 5
  pid IN ('x')
  pid > '5'
  CAST(backend_start AS date) = current_date
`);

/** Whole statements. */
const others = linesOf(String.raw`
  WITH x AS (SELECT ssl, pid FROM pg_stat_ssl) SELECT NOT ssl, count(*) > 0 FROM x WHERE false GROUP BY ssl
  SELECT max(backend_start) FROM pg_stat_activity WHERE false
  SELECT count(*) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl = 'x'
  SELECT count(*) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl IN ('f', 'off')
  SELECT $1
  SELECT 1; SELECT $2
  SELECT 'a
  SELECT "a
  SELECT 1 /* a
  SELECT $$a
  SELECT E'a
  SELECT s.nope FROM pg_stat_ssl s
`);

const OWN = 'WHERE pid = pg_backend_pid()';

const statements = [
  ...expressions.map((expression) => `SELECT ${expression}`),
  ...columns.map((column) => `SELECT ${column} FROM pg_stat_ssl ${OWN}`),
  ...conditions.map((condition) => `SELECT count(*) FROM pg_stat_activity ${OWN} AND ${condition}`),
  ...others,
];

/** PostgreSQL's message names the types of what it knows to be a name; here it is a text. */
function told({ code, message }: DatabaseError): string {
  return `${code} ${message.replace(/\bname >/, 'text >')}`;
}

async function answer(client: Client, text: string, binary: boolean): Promise<string> {
  try {
    const results = [await client.query({ text, rowMode: 'array', binary } as QueryArrayConfig)].flat();
    return results
      .map(({ fields, rows }) => {
        const described = fields.map(({ name, dataTypeID }) => `${name} ${dataTypeID}`);
        return `${described.join(', ')}: ${JSON.stringify(rows)}`;
      })
      .join('; ');
  } catch (error) {
    if (error instanceof DatabaseError) return told(error);
    throw error;
  }
}

await test('the same statements at both', async (t) => {
  const server = await startPostgres({ version: 18 });
  atEnd(t, () => server.stop());
  await server.createUser('dba', { superuser: true });
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: server,
    config: { admin_users: 'dba' },
  });
  const clients = [
    new Client({ host: '127.0.0.1', port: gate.port, user: 'dba', database: 'gatehouse' }),
    new Client({ host: '127.0.0.1', port: server.port, user: 'dba', database: 'postgres' }),
  ] as const;
  for (const client of clients) {
    await client.connect();
    atEnd(t, () => client.end());
  }
  const [console, atServer] = clients;
  for (const statement of statements) {
    const there = await answer(atServer, statement, false);
    t.equal(await answer(console, statement, false), there, statement);
  }
  // A statement with several commands, or a parameter that nobody gives, is none of the extended protocol's.
  for (const statement of statements.filter((each) => !/;|\$\d/.test(each))) {
    const there = await answer(atServer, statement, true);
    t.equal(await answer(console, statement, true), there, `in binary: ${statement}`);
  }
});
