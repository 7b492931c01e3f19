// idle_session_timeout: 57P05 for a session in which no byte passes, in a transaction too; not while a query runs, nor
// while a second one that was sent along with the first does, nor while one runs that no Sync has followed yet.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { cstring, decodeErrorResponse, message, query, startupMessage } from '../support/peers/messages.ts';
import { codedLines, msBetween, openClient, TRUST, until } from './clients.ts';

const TIMEOUT_MS = 400;

await test('PostgreSQL behind the gate', async (t) => {
  await using server = await startPostgres({ version: 15 });
  const gate = await startGate(t, {
    hba: TRUST,
    upstream: server,
    config: { idle_session_timeout: `${TIMEOUT_MS}ms` },
  });
  const refusal = { S: 'FATAL', C: '57P05', M: 'terminating connection due to idle-session timeout' };

  // Which messages come before the session is ended, and how long it lasts at least.
  const sessions: [string, string[], string, number][] = [
    ['nothing but a login', [], '', 1],
    ['one query', ['select 1'], 'TDCZ', 1],
    ['idle in transaction', ['begin'], 'CZ', 1],
    ['listening, and notified', ['listen a', 'notify a'], 'CZCAZ', 1],
    ['a query longer than the timeout', ['select pg_sleep(1)'], 'TDCZ', 2.5],
    ['a second query longer than the timeout', ['select 1', 'select pg_sleep(1)'], 'TDCZTDCZ', 2.5],
  ];
  await Promise.all(
    sessions.map(async ([name, queries, expected, timeouts]) => {
      const client = await openClient(t, gate);
      // With the startup packet: a client that is late with its first query would be idle before it.
      await client.send(startupMessage({ user: 'postgres', application_name: name }), ...queries.map(query));
      t.equal((await client.readLogin()).error, null, name);
      const messages = await client.readMessagesUntil('E');
      t.equal(messages.map(({ type }) => type).join(''), `${expected}E`, name);
      t.match(decodeErrorResponse(messages.at(-1)!), refusal, name);
      await client.closed;
      client.halfClose();
      const authorized = await gate.waitForLog(({ msg }) => msg.includes(`application_name=${name} SSL`));
      const ended = await gate.waitForLog(({ code, id }) => code !== undefined && id === authorized['id']);
      const lasted = msBetween(authorized, ended);
      t.ok(lasted >= timeouts * TIMEOUT_MS - 5, `${name}: ended after ${lasted} ms`);
    }),
  );
  await until('every session is gone', async () => (await gate.sessions()).length === 0);
  const codes = codedLines(gate).map(({ code }) => code);
  t.strictSame(
    codes,
    sessions.map(() => 'idle-session-timeout'),
  );
});

await test('an extended query that only a Flush has followed', async (t) => {
  await using server = await startPostgres({ version: 15 });
  const config = { idle_session_timeout: `${TIMEOUT_MS}ms` };
  const gate = await startGate(t, { hba: TRUST, upstream: server, config });
  const client = await openClient(t, gate);
  await client.send(
    startupMessage({ user: 'postgres' }),
    message('P', cstring(''), cstring('select pg_sleep(1)'), Buffer.alloc(2)),
    message('B', Buffer.alloc(8)),
    message('E', Buffer.alloc(5)),
    message('H'),
  );
  t.equal((await client.readLogin()).error, null);
  t.match(await gate.sessions(), [{ state: 'active' }]);
  const answer = await client.readMessagesUntil('C');
  t.equal(answer.map(({ type }) => type).join(''), '12DC');
  await client.send(message('S'));
  const end = await client.readMessagesUntil('E');
  t.equal(end.map(({ type }) => type).join(''), 'ZE');
  t.match(decodeErrorResponse(end.at(-1)!), { C: '57P05' });
});
