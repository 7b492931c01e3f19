// A backend that is killed, and a server that is stopped at once: the sessions end with what the server still said, the
// gate goes on, and tells new clients that there is no upstream until there is one again.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { decodeMessages, decodeErrorResponse, query } from '../support/peers/raw-client.ts';
import { openClient, openSession, TRUST, until } from './clients.ts';

await test('a backend by SIGKILL, then the whole server', async (t) => {
  await using server = await startPostgres({ version: 15 });
  const gate = await startGate(t, { hba: TRUST, upstream: server });
  const parameters = { user: 'postgres' };
  const victim = await openSession(t, gate, { parameters });
  const bystander = await openSession(t, gate, { parameters });
  await victim.client.send(query('select pg_sleep(60)'));
  // A backend that is still busy with sending its last answer says nothing when it is ended.
  await until('the other session waits for its client', async () => {
    const rows = await server.query(
      `select from pg_stat_activity where pid = ${bystander.login.key!.pid} and wait_event = 'ClientRead'`,
    );
    return rows.length === 1;
  });
  process.kill(victim.login.key!.pid, 'SIGKILL');
  await victim.client.closed;
  // The postmaster takes no chances with shared memory and ends everybody.
  const told = decodeMessages(await bystander.client.readUntilClose()).map(decodeErrorResponse);
  t.match(told.at(-1), { C: '57P02' });
  for (const { client } of [victim, bystander]) client.halfClose();
  await until('both sessions are over', async () => (await gate.sessions()).length === 0);

  await server.waitForLog(/all server processes terminated; reinitializing/);
  await until('the server is back', async () => {
    const client = await openClient(t, gate);
    return (await client.login(parameters)).error === null;
  });

  const last = await openSession(t, gate, { parameters });
  await server.stop({ keepDirectory: true });
  await last.client.closed;
  const late = await openClient(t, gate);
  t.match((await late.login(parameters)).error, {
    C: '08006',
    M: 'could not connect to the upstream server',
  });
  await server.start();
  t.equal((await (await openClient(t, gate)).login(parameters)).error, null, 'the server is back');
});
