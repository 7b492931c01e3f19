// With workers: 2 sessions, metrics, rule hits, termination, cancel requests, reload and limits are the whole gate's.

import { test } from 'tap';
import { startGate, type Gate, type SessionRow } from '../support/run/gate.ts';
import { cancelRequest, connectRaw, query, type RawClient } from '../support/peers/raw-client.ts';
import { HBA, startPostgres } from '../support/servers/postgres.ts';
import type { Scope } from '../support/run/scope.ts';
import { until } from '../session/clients.ts';

const SESSIONS = 12;

await test('several workers are one gate', async (t) => {
  await using upstream = await startPostgres({ version: 18, hba: HBA.trust });
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { workers: 2, max_connections: SESSIONS + 1 },
  });
  t.equal(gate.processes().length, 3, 'the first process and two workers');

  const { sessions, logins } = await sessionsInBoth(t, gate);
  const rows = await gate.sessions();
  t.equal(rows.length, SESSIONS);
  t.equal(new Set(rows.map(workerOf)).size, 2, 'they are spread over both workers');

  await t.test('one scrape is the sum', async (sub) => {
    const metrics = await gate.metrics();
    sub.equal(metrics.value('gatehouse_sessions'), SESSIONS);
    sub.equal(metrics.value('gatehouse_rule_hits_total'), logins);
    sub.equal(metrics.value('gatehouse_upstream_up'), 1);
    sub.ok(metrics.value('process_start_time_seconds'), 'the time of start is that of the first process');
    const rules: unknown = JSON.parse((await gate.admin('/rules')).body);
    sub.match(rules, [{ line: 1, hits: logins }]);
  });

  await t.test('a cancel request reaches its session whichever worker gets it', async (sub) => {
    for (const { client, key } of sessions.slice(0, 6)) {
      await client.send(query("do $$ begin raise notice 'runs'; perform pg_sleep(60); end $$"));
      await client.readMessagesUntil('N');
      const canceller = await connectRaw(sub, gate.port);
      await canceller.send(cancelRequest(key.pid, key.key));
      await canceller.expectClosed();
      const messages = await client.readMessagesUntil('Z');
      sub.match(messages.map(({ body }) => body.toString('latin1')).join(''), '57014');
    }
    sub.equal((await gate.metrics()).value('gatehouse_cancel_requests_total', { outcome: 'forwarded' }), 6);
  });

  await t.test('max_connections is global', async (sub) => {
    const last = await logIn(sub, gate.port);
    for (let attempt = 0; attempt < 4; attempt++) {
      const client = await connectRaw(sub, gate.port);
      const { error } = await client.login({ user: 'postgres', database: 'postgres' });
      sub.match(error, { C: '53300', M: 'sorry, too many clients already' });
    }
    const { id } = (await gate.sessions()).find(
      ({ client_port }) => client_port === last.client.raw.localPort,
    )!;
    sub.equal(
      (await gate.admin(`/sessions/${id}`, { method: 'DELETE' })).status,
      200,
      'terminated in its worker',
    );
    sub.match((await last.client.readMessage()).body.toString('latin1'), '57P01');
    sub.equal((await gate.admin('/sessions/1-1', { method: 'DELETE' })).status, 404, 'no worker has it');
  });

  await t.test('after a reload every new connection sees the new state', async (sub) => {
    gate.rewrite('pg_hba.conf', 'host all all all reject\n');
    sub.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
    for (let attempt = 0; attempt < 8; attempt++) {
      const client = await connectRaw(sub, gate.port);
      const { error } = await client.login({ user: 'postgres', database: 'postgres' });
      sub.match(error?.['M'], /^pg_hba.conf rejects connection/);
    }
  });
});

/** An id begins with the worker's process. */
function workerOf({ id }: SessionRow): string | undefined {
  return String(id).split('-')[0];
}

interface Session {
  readonly client: RawClient;
  readonly key: { readonly pid: number; readonly key: Buffer };
}

/** So many sessions, some in each worker. The kernel chooses the workers, so one session makes way for another if it must. */
async function sessionsInBoth(
  t: Scope,
  gate: Gate,
): Promise<{ readonly sessions: readonly Session[]; readonly logins: number }> {
  const sessions: Session[] = [];
  for (let logins = 1; ; logins++) {
    sessions.push(await logIn(t, gate.port));
    if (sessions.length < SESSIONS) continue;
    if (new Set((await gate.sessions()).map(workerOf)).size === 2) return { sessions, logins };
    sessions.pop()?.client.destroy();
    await until('it is gone', async () => (await gate.sessions()).length < SESSIONS);
  }
}

async function logIn(t: Scope, port: number): Promise<Session> {
  const client = await connectRaw(t, port);
  const { error, key } = await client.login({ user: 'postgres', database: 'postgres' });
  if (error !== null || key === null) throw new Error(`refused: ${JSON.stringify(error)}`);
  return { client, key };
}
