// A statement that PostgreSQL would refuse, or would understand otherwise than the engine, is never answered with
// something that looks right and is not.

import { test } from 'tap';
import { needs } from '../support/run/tools.ts';
import { atConsole, Talk } from './at-console.ts';

await test('what changes anything', needs('psql'), async (t) => {
  const { conninfo } = await atConsole(t, { upstream: null });
  const [admin, stats] = [new Talk(t, conninfo('alice')), new Talk(t, conninfo('bob'))];
  for (const talk of [admin, stats]) await talk.ask(String.raw`\set VERBOSITY verbose`);
  for (const [statement, tag] of [
    [`INSERT INTO rules VALUES ('x', 1, 'x', 1)`, 'INSERT'],
    ['DELETE FROM sessions', 'DELETE'],
    [`UPDATE settings SET setting = 'off'`, 'UPDATE'],
    ['create table t (x int)', 'CREATE TABLE'],
    ['DROP TABLE rules', 'DROP TABLE'],
    ['TRUNCATE bans', 'TRUNCATE TABLE'],
  ] as const) {
    const [told] = await admin.ask(`${statement};`);
    t.equal(told, `ERROR:  25006: cannot execute ${tag} in a read-only transaction`);
    const [refused] = await stats.ask(`${statement};`);
    t.equal(refused, `ERROR:  42501: permission denied for ${tag}`);
  }
  for (const [statement, verb] of [
    ['SHUTDOWN', 'SHUTDOWN'],
    ['PAUSE', 'PAUSE'],
    ['KILL gatehouse', 'KILL'],
  ] as const) {
    t.match((await admin.ask(`${statement};`))[0], /^ERROR: {2}0A000: /, statement);
    t.equal((await stats.ask(`${statement};`))[0], `ERROR:  42501: permission denied for ${verb}`);
  }
  t.equal((await admin.ask('RELOAD rules;'))[0], 'ERROR:  42601: syntax error at or near "rules"');
  t.equal(
    (await admin.ask('SHUTDOWN WAIT_FOR_CLIENTS 5;'))[0],
    'ERROR:  42601: syntax error at or near "5"',
    'and the gate goes on',
  );
  t.strictSame(await admin.ask('SELECT count(*) FROM rules;'), ['1']);
});

await test('arguments of what ends a session', needs('psql'), async (t) => {
  const { conninfo } = await atConsole(t, { upstream: null });
  const talk = new Talk(t, conninfo('alice'));
  const first = async (statement: string): Promise<string | undefined> =>
    (await talk.ask(`${statement};`))[0];
  t.equal(await first('SELECT pg_terminate_backend(NULL)'), '', 'strict, as in PostgreSQL');
  t.equal(await first('SELECT pg_cancel_backend(NULL) IS NULL AS x'), 't');
  t.match((await talk.ask('SELECT pg_terminate_backend(99999, 1000);')).toSorted(), [
    'WARNING:  PID 99999 is not a PostgreSQL backend process',
    'f',
  ]);
  t.match(await first(`SELECT pg_terminate_backend('x')`), 'invalid input syntax for type integer: "x"');
  t.match(await first('SELECT pg_terminate_backend(1, -1)'), '"timeout" must not be negative');
  t.match(await first('SELECT pg_terminate_backend()'), 'function pg_terminate_backend does not exist');
  t.match(await first('SELECT pg_reload_conf(1)'), 'function pg_reload_conf does not exist');
  t.equal(
    await first(`SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE usename = 'nobody'`),
    undefined,
  );
});

await test('texts, booleans, serial numbers and moments', needs('psql'), async (t) => {
  const { conninfo, credentials } = await atConsole(t, { upstream: null });
  const talk = new Talk(t, conninfo('alice'));
  for (const [condition, count] of [
    [`usename LIKE 'A%'`, 0],
    [`usename LIKE 'a%e'`, 1],
    [`usename NOT LIKE '_lic_'`, 0],
    [`usename ILIKE 'A%'`, 1],
    [`usename NOT ILIKE 'ALICE'`, 0],
    [String.raw`'a_c' LIKE 'a\_c' AND 'abc' NOT LIKE 'a\_c'`, 1],
    [`'a%c' LIKE 'ax%c' ESCAPE 'x' AND 'abc' NOT LIKE 'ax%c' ESCAPE 'x'`, 1],
    [`ssl = 't'`, 1],
    [`ssl = 'true' AND s.ssl <> 'off'`, 1],
    [`ssl = 'f'`, 0],
    [`ssl::text = 'true'`, 1],
    [`backend_start > now() - '1 hour'::interval`, 1],
    [`backend_start < now() - '1 hour'::interval`, 0],
  ] as const) {
    const query = `SELECT count(*) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE ${condition};`;
    t.strictSame(await talk.ask(query), [String(count)], condition);
  }
  for (const difference of ['now() - backend_start', 'now() - a.backend_start', `backend_start - now()`]) {
    const [refused] = await talk.ask(`SELECT ${difference} FROM pg_stat_activity a;`);
    t.equal(refused, 'ERROR:  the console does not subtract one moment from another');
  }
  const { serial } = credentials('alice');
  for (const [condition, answer] of [
    [`client_serial = ${serial}`, '1'],
    [`client_serial IN (1, ${serial})`, '1'],
    [`client_serial <> ${serial}`, '0'],
    [`client_serial > ${serial}`, 'ERROR:  the console does not compare serial numbers by their size'],
    [`client_dn < 5`, 'ERROR:  operator does not exist: text < integer'],
  ] as const) {
    const [told] = await talk.ask(`SELECT count(*) FROM pg_stat_ssl WHERE ${condition};`);
    t.equal(told, answer, condition);
  }
  t.match(await talk.ask(String.raw`SELECT 'a' LIKE 'a\';`), [/LIKE pattern must not end with escape/]);
  t.strictSame(await talk.ask('SHOW server_version_num;'), ['180000']);
});

await test('a word that every object has', needs('psql'), async (t) => {
  const { conninfo } = await atConsole(t, { upstream: null });
  const talk = new Talk(t, conninfo('alice'));
  const unknown = 'ERROR:  unrecognized configuration parameter "constructor"';
  for (const [statement, answer] of [
    ['constructor', 'ERROR:  "constructor" is not a command of the console'],
    ['__proto__', 'ERROR:  "__proto__" is not a command of the console'],
    ['SHOW constructor', unknown],
    [`SELECT current_setting('constructor')`, unknown],
    [
      `SELECT now() - interval '1 constructor'`,
      'ERROR:  invalid input syntax for type interval: "1 constructor"',
    ],
    [`SELECT 'a'::constructor`, 'a'],
    ['SELECT 1', '1'],
  ] as const) {
    t.equal((await talk.ask(`${statement};`))[0], answer, statement);
  }
});
