// DELETE /sessions/ID: an idle session gets 57P01; one that stands in the middle of a message towards the client is just
// closed, for an ErrorResponse must never be spliced into it; a query that runs is cancelled on the upstream.

import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { decodeErrorResponse, decodeMessages, oneColumnResult, query } from '../support/peers/messages.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { letIn, openSession, TRUST, until } from './clients.ts';

async function terminateTheSession(gate: Gate): Promise<void> {
  const [session] = await gate.sessions();
  const { status } = await gate.admin(`/sessions/${session?.id}`, { method: 'DELETE' });
  if (status >= 300) throw new Error(`DELETE answered ${status}`);
}

for (const tls of [true, false]) {
  const how = tls ? 'inside TLS' : 'without TLS';

  await test(`an idle session, ${how}`, async (t) => {
    const upstream = await scriptedUpstream(t, letIn);
    const gate = await startGate(t, { hba: TRUST, upstream });
    const { client } = await openSession(t, gate, { tls });
    await terminateTheSession(gate);
    const told = decodeMessages(await client.readUntilClose());
    t.match(told.map(decodeErrorResponse), [
      { S: 'FATAL', V: 'FATAL', C: '57P01', M: 'terminating connection due to administrator command' },
    ]);
    client.halfClose();
    const line = await gate.waitForLog({ code: 'admin-terminated' });
    t.match(line, { user: 'alice', sqlstate: '57P01' });
    await (
      await upstream.nextConnection()
    ).closed;
    await until('the session is gone', async () => (await gate.sessions()).length === 0);
    t.equal(
      gate.log.filter(({ code, msg }) => code !== undefined || msg.startsWith('disconnection')).length,
      1,
    );
  });

  await test(`in the middle of a DataRow, ${how}`, async (t) => {
    const answer = oneColumnResult('a', ['a long row']);
    const begin = answer.subarray(0, answer.indexOf('long'));
    const upstream = await scriptedUpstream(t, async (connection) => {
      await letIn(connection);
      await connection.readMessage();
      await connection.send(begin);
    });
    const gate = await startGate(t, { hba: TRUST, upstream });
    const { client } = await openSession(t, gate, { tls });
    await client.send(query('select a'));
    t.strictSame(await client.read(begin.length), begin);
    await terminateTheSession(gate);
    await client.expectClosed();
    t.match(await gate.waitForLog({ code: 'admin-terminated' }), { user: 'alice' });
  });
}

await test('a query that runs is cancelled on the upstream', async (t) => {
  await using server = await startPostgres({ version: 15 });
  const gate = await startGate(t, { hba: TRUST, upstream: server });
  const { client, login } = await openSession(t, gate, { parameters: { user: 'postgres' } });
  const running = async (): Promise<boolean> => {
    const rows = await server.query(
      `select from pg_stat_activity where pid = ${login.key!.pid} and state = 'active'`,
    );
    return rows.length === 1;
  };
  await client.send(query('select pg_sleep(600)'));
  await until('the query runs', running);
  await terminateTheSession(gate);
  t.match(decodeErrorResponse(await client.readMessage()), { C: '57P01' });
  await until('the query has ended', async () => !(await running()));
  await server.waitForLog(/canceling statement due to user request/);
});

await test('a client that does not read is closed all the same', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await letIn(connection);
    await connection.readMessage();
    const rows = oneColumnResult('a', ['x'.repeat(10_000_000)]);
    connection.socket.write(rows);
  });
  const gate = await startGate(t, { hba: TRUST, upstream });
  const { client } = await openSession(t, gate);
  client.pause();
  await client.send(query('select a'));
  await until('the answer is on its way', async () => {
    const [session] = await gate.sessions();
    return Number(session?.['bytes_out']) > 100_000;
  });
  await terminateTheSession(gate);
  await gate.waitForLog({ code: 'admin-terminated' });
  t.strictSame(await gate.sessions(), []);
});
