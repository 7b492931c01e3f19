// A statement has up to a megabyte, and the process that serves the sessions cuts it into tokens and writes it anew for
// the engine. No way to write one costs more than a small multiple of a plain one of its length, or overflows a stack.

import { test } from 'tap';
import { decodeParameter, isPgType, ParameterError, pgTypes } from '../../src/console/pg-types.ts';
import { toEngineSql } from '../../src/console/sql-dialect.ts';
import { splitStatements } from '../../src/console/sql-tokens.ts';
import { inOneForm } from '../../src/console/standard-forms.ts';
import { ask, openConsole, trustingConsole } from './at-trusting-console.ts';

const LENGTH = 256 * 1024;

/** How much more than a plain statement of its length: what is quadratic costs hundreds of times as much. */
const MOST_TIMES = 15;

/** So often that it has the length. */
function often(part: string, others = 0): string {
  return part.repeat(Math.floor(LENGTH / (part.length + others)));
}

const statements: readonly (readonly [name: string, sql: string])[] = [
  ['lists of values', `SELECT ${often('(values)')}`],
  ['lists within lists', `SELECT ${often('(values')}`],
  ['lists before a parenthesis that never closes', `SELECT ${often('(values) 1 ( ')}`],
  ['named lists', `SELECT ${often('(values) a(b)')}`],
  ['casts within casts', `SELECT ${often('(', 6)}1${often(')::int', 1)}`],
  ['casts after a parenthesis that was never open', `SELECT 1${often(')::int')}`],
  ['casts of casts', `SELECT 1${often('::int')}`],
  ['casts of what a dot joins', `SELECT a${often('.a::int')}`],
  ['intervals on intervals', `SELECT now()${often("+interval'1 h'")}`],
  ['operators and comments', `SELECT 1${often('+/**/')}1`],
  ['operators and comments to the end of the line', `SELECT 1${often('+--\n')}1`],
  ['one operator', `SELECT 1${often('+')}1`],
  ['minuses before names with dots', `SELECT 1${often('-a.a')}`],
  ['casts in words', `SELECT ${often('cast(', 8)}1${often(' as int)', 5)}`],
  ['casts in words that never close', `SELECT ${often('cast(1 as a')}`],
  ['divisions', `SELECT 1${often('/1')}`],
  ['divisions within divisions', `SELECT 1${often('/(1', 1)}${often(')', 3)}`],
  ['divisions that end nowhere', `SELECT 1${often('/')}`],
  ['lists that a column is looked for in', `SELECT a${often(' in (1')}`],
  ['comparisons with what a dot joins', `SELECT 1${often("=a.a and '1'")}`],
  ['signs', `SELECT 1${often('<-')}1`],
  ['blanks behind a date', `SELECT '1' = '2026-01-01${often(' ')}x'`],
  ['blanks', `SELECT 1${often(' ')}`],
  ['dollars', `SELECT ${often('$a ')}`],
  ['quotes', `SELECT 'a${often("''")}'`],
  ['escapes', `SELECT E'${often("\\'")}'`],
];

function costMs(sql: string): number {
  const before = process.cpuUsage();
  for (const tokens of splitStatements(sql)) toEngineSql(inOneForm(tokens));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

await test('whatever it is made of', async (t) => {
  const plain = `SELECT ${often('1,a ')}`;
  // Once for the compiler, then for the measure.
  costMs(plain);
  const plainMs = Math.max(costMs(plain), costMs(plain), costMs(plain));
  for (const [name, sql] of statements) {
    const ms = costMs(sql);
    t.ok(ms < plainMs * MOST_TIMES, `${name}: ${ms.toFixed(0)} ms, a plain one ${plainMs.toFixed(0)} ms`);
  }
});

await test('a value of a parameter', async (t) => {
  for (const [type] of Object.entries(pgTypes)) {
    for (const value of [
      often('1'),
      `${often('1')}x`,
      `1${often(' ')}x`,
      `${often(' ')}x`,
      `1.${often('0')}x`,
    ]) {
      const before = process.cpuUsage();
      try {
        if (isPgType(type)) decodeParameter(Buffer.from(value), type, 'text');
      } catch (error) {
        if (!(error instanceof ParameterError)) throw error;
      }
      const { user, system } = process.cpuUsage(before);
      t.ok((user + system) / 1_000 < 500, `${type}: ${value.slice(0, 2)}…${value.slice(-1)}`);
    }
  }
});

await test('an operand is what stands before the cast', async (t) => {
  for (const [sql, expected] of [
    ["SELECT a ~ ('b')::text", "SELECT a REGEXP CAST( ( 'b' ) AS TEXT)"],
    ['SELECT a.b::int + c::text', 'SELECT int4_of( a . b ) + CAST( c AS TEXT)'],
    ['SELECT f(a, (b))::int8', 'SELECT int8_of( f ( a , ( b ) ) )'],
    ['SELECT s.f(a)::int', 'SELECT int4_of( s . f ( a ) )'],
    ['SELECT ((1)::int)::text', 'SELECT CAST( ( int4_of( ( 1 ) ) ) AS TEXT)'],
    ['SELECT x IN (1) AND (a = b)::text', 'SELECT x IN ( 1 ) AND CAST( ( a = b ) AS TEXT)'],
    ['SELECT (1 + 2)::text', 'SELECT CAST( ( 1 + 2 ) AS TEXT)'],
    ["SELECT now() - interval '1 h'", "SELECT add_interval( now ( ) , '-', '1 h')"],
    ["SELECT a.b + '1 h'::interval", "SELECT add_interval( a . b , '+', '1 h')"],
    ['SELECT s.ssl::text', "SELECT CASE s . ssl WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"],
    ["SELECT '2026-01-01'::timestamptz::text", "SELECT CAST( timestamptz_of( '2026-01-01' ) AS TEXT)"],
    ['SELECT count(*) FILTER (WHERE a)::int', 'SELECT int4_of( count ( * ) FILTER ( WHERE a ) )'],
    ['SELECT CAST(CAST(a AS text) AS int)', 'SELECT int4_of( ( CAST( a AS TEXT) ) )'],
    ['SELECT a / b.c::int * (d % -e)', 'SELECT a / nonzero ( int4_of( b . c ) ) * ( d % nonzero ( - e ) )'],
    [
      'SELECT a / f(b) FILTER (WHERE c) / 2',
      'SELECT a / nonzero ( f ( b ) FILTER ( WHERE c ) ) / nonzero ( 2 )',
    ],
    ['SELECT a/-1', 'SELECT a / nonzero ( - 1 )'],
    ['SELECT 1+--\n2', 'SELECT 1 + 2'],
    ['SELECT 1!=/* */2', 'SELECT 1 != 2'],
  ] as const) {
    const [tokens = []] = splitStatements(sql);
    t.equal(toEngineSql(inOneForm(tokens)), expected, sql);
  }
});

await test('deeper than the engine goes', async (t) => {
  const client = await openConsole(t, await trustingConsole(t));
  for (const sql of [
    `SELECT ${'('.repeat(100_000)}1${')::int'.repeat(100_000)}`,
    `SELECT ${'('.repeat(400_000)}1${')'.repeat(400_000)}`,
    `SELECT 1${'+1'.repeat(100_000)}`,
  ]) {
    t.strictSame(await ask(client, sql), ['E 54001', 'Z I'], `${sql.slice(0, 12)}…`);
  }
  t.strictSame(await ask(client, 'SELECT (1 + 2)::text AS x'), ['T', 'D', 'C SELECT 1', 'Z I']);
});
