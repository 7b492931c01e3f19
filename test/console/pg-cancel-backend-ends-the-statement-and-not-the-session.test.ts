// pg_cancel_backend(pid) of a live session: its statement ends with 57014, the session goes on, and the log says who did it. The
// answer has the row that it was found by, whatever has become of it meanwhile.

import { test } from 'tap';
import { atConsole, Talk } from './at-console.ts';
import { needs } from '../support/run/tools.ts';

await test('a session that sleeps', needs('psql'), async (t) => {
  const { gate, conninfo } = await atConsole(t);
  const bob = new Talk(t, conninfo('bob', 'postgres'));
  const alice = new Talk(t, conninfo('alice'));
  const unknown = await alice.ask('SELECT pg_cancel_backend(2147483647);');
  t.strictSame(unknown.toSorted(), ['WARNING:  PID 2147483647 is not a PostgreSQL backend process', 'f']);
  await bob.ask('select 1;');
  bob.send('select pg_sleep(60);');
  const its = `WHERE usename = 'bob' AND datname = 'postgres' AND state = 'active'`;
  while ((await alice.ask(`SELECT count(*) FROM pg_stat_activity ${its};`))[0] !== '1');
  t.strictSame(await alice.ask(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity ${its};`), ['t']);
  t.equal(await bob.line(/^ERROR/), 'ERROR:  canceling statement due to user request');
  t.strictSame(await bob.ask('select 2;'), ['2'], 'the session goes on');
  t.match(await gate.waitForLog({ msg: /^console: pg_cancel_backend\(\d+\)$/ }), { user: 'alice' });
  const own = await alice.ask('SELECT pg_cancel_backend(pg_backend_pid());');
  t.match(own, [/^ERROR: {2}canceling statement due to user request$|^[tf]$/], 'its own statement');
  t.strictSame(await alice.ask('SELECT 3;'), ['3']);

  const ended = `SELECT usename, pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bob';`;
  t.strictSame(await alice.ask(ended), ['bob|t'], 'one that is ended is still in the answer that says so');
});
