// What a statement may not do: run for ever, fill the memory, read or write a file, load code. It is ended or refused, the
// console goes on, and a session beside it never waits for it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { until } from '../session/clients.ts';
import { atConsole, Talk } from './at-console.ts';
import { needs } from '../support/run/tools.ts';

const ENDLESS = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n;';

await test('a statement without end is ended, and a session goes on meanwhile', needs('psql'), async (t) => {
  const { conninfo, gate } = await atConsole(t);
  const talk = new Talk(t, conninfo('bob'));
  const session = new Talk(t, conninfo('alice', 'postgres'));
  await session.ask('select 1;');
  const waits: number[] = [];
  const over = new AbortController();
  const asking = (async () => {
    while (!over.signal.aborted) {
      const since = performance.now();
      await session.ask('select 1;');
      waits.push(performance.now() - since);
    }
  })();
  const began = performance.now();
  t.strictSame(await talk.ask(ENDLESS), ['ERROR:  canceling statement due to statement timeout']);
  const statementMs = performance.now() - began;
  t.match(
    await talk.ask(
      `SELECT count(*) FROM metrics a, metrics b, metrics c, metrics d WHERE a.value + b.value + c.value = d.value + 0.5;`,
    ),
    [/^ERROR: {2}canceling statement due to statement timeout$/],
    'a cross join',
  );
  over.abort();
  await asking;
  waits.sort((a, b) => a - b);
  const p99 = waits[Math.floor(waits.length * 0.99)] ?? Infinity;
  t.comment(`${waits.length} queries of a session meanwhile, p99 ${p99.toFixed(1)} ms`);
  t.ok(waits.length > 50, 'it was asked all the time');
  // Who waits for a statement waits as long as it takes, whatever the machine.
  t.ok(p99 < statementMs / 5, 'and waited for no statement of the console');
  t.strictSame(await talk.ask('SELECT 1;'), ['1'], 'the console goes on');
  t.strictSame(await talk.ask('SELECT count(*) FROM workers;'), ['1']);
  // What is killed is there until the kernel has ended it.
  await until('the gate and one engine are left', async () => gate.processes().length <= 2);
  t.equal(gate.processes().length, 2, 'the engine that was ended is gone, and one is in its place');
});

await test('Ctrl-C ends it, by the cancel key of the console', needs('psql'), async (t) => {
  const { conninfo } = await atConsole(t, { upstream: null, config: { workers: 2 } });
  const other = new Talk(t, conninfo('alice'));
  const active = `SELECT count(*) FROM pg_stat_activity WHERE usename = 'bob' AND state = 'active';`;
  // A key of four bytes, and one of 32.
  for (const libpq of [15, 18] as const) {
    const version = libpq === 18 ? { min_protocol_version: '3.2', max_protocol_version: '3.2' } : {};
    const talk = new Talk(t, { ...conninfo('bob'), ...version }, { libpq });
    await talk.ask('SELECT 1;');
    talk.send(ENDLESS);
    while ((await other.ask(active))[0] !== '1');
    talk.interrupt();
    t.match(await talk.line(/^ERROR/), 'canceling statement due to user request', `libpq ${libpq}`);
    // psql itself leaves then, since it reads no terminal.
  }
  t.strictSame(await other.ask('SELECT 2;'), ['2']);
});

await test('nothing outside of the tables', needs('psql'), async (t) => {
  const { gate, conninfo } = await atConsole(t, { upstream: null });
  const talk = new Talk(t, conninfo('alice'));
  const file = join(gate.directory, 'taken');
  for (const statement of [
    `ATTACH DATABASE '${file}' AS other`,
    `VACUUM INTO '${file}'`,
    'PRAGMA database_list',
    'PRAGMA writable_schema = on',
    `DETACH DATABASE main`,
    'CREATE TABLE t (x int)',
    `INSERT INTO rules VALUES ('x', 1, 'x', 1)`,
    `DELETE FROM sessions`,
    `UPDATE settings SET setting = 'off'`,
    'DROP TABLE rules',
    `COPY rules TO '${file}'`,
    `COPY rules FROM STDIN`,
    `COPY (SELECT 1) TO PROGRAM 'touch ${file}'`,
  ]) {
    t.match(await talk.ask(`${statement};`), [/^ERROR: /], statement);
  }
  for (const call of [
    `load_extension('libc.so.6')`,
    `randomblob(1000000000)`,
    `zeroblob(1000000000)`,
    `readfile('/etc/passwd')`,
    `writefile('${file}', 'x')`,
    `sqlite_version()`,
    `pg_read_file('/etc/passwd')`,
  ]) {
    t.match(await talk.ask(`SELECT ${call};`), [/^ERROR: /], call);
  }
  for (const table of ['sqlite_master', 'sqlite_schema', 'pragma_database_list', 'pragma_function_list']) {
    t.match(await talk.ask(`SELECT * FROM ${table};`), [/^ERROR: /], table);
  }
  t.match(await talk.ask(`SELECT replace(hex(printf('%0900000000d', 1)), '0', 'xxxxxxxxxx');`), [/^ERROR: /]);
  t.match(
    await talk.ask(
      `WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 200000) SELECT x FROM n;`,
    ),
    [/^ERROR: {2}the result is larger than/],
  );
  t.strictSame(await talk.ask('SELECT count(*) FROM rules;'), ['1'], 'the console goes on');
  t.notOk(existsSync(file), 'no file was made');
});
