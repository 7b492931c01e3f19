// SIGTERM: new clients get 57P03, the sessions that run may finish, cancel requests still work, the admin listener
// answers; after shutdown_timeout, a second signal or SIGINT they are told 57P01. The gate exits with 0.

import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import {
  cancelRequest,
  connectRaw,
  decodeErrorResponse,
  decodeMessages,
  query,
  sslRequest,
  type Message,
} from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { within } from '../support/run/waiting.ts';
import { codedLines, letIn, msBetween, openClient, openSession, TRUST, until } from './clients.ts';

const SHUTTING_DOWN = { S: 'FATAL', C: '57P03', M: 'the database system is shutting down' };
const TERMINATED = { S: 'FATAL', C: '57P01', M: 'terminating connection due to administrator command' };
const EXIT_0 = { code: 0, signal: null };

await test('a session finishes, while new clients and the admin listener are answered', async (t) => {
  await using server = await startPostgres({ version: 15 });
  const gate = await startGate(t, { hba: TRUST, upstream: server });
  const parameters = { user: 'postgres' };
  const { client, login } = await openSession(t, gate, { parameters });
  await drain(gate);

  for (const tls of [true, false]) {
    const late = await openClient(t, gate, { tls });
    t.match((await late.login(parameters)).error, SHUTTING_DOWN, tls ? 'inside TLS' : 'without TLS');
    late.halfClose();
  }
  const ready = await gate.admin('/readyz');
  t.equal(ready.status, 503);
  t.match(ready.body, /draining/);
  t.equal((await gate.admin('/healthz')).status, 200);
  t.equal((await gate.sessions()).length, 1);

  await client.send(query('select pg_sleep(600)'));
  await until('the query runs', async () => {
    const rows = await server.query(
      `select from pg_stat_activity where pid = ${login.key!.pid} and state = 'active'`,
    );
    return rows.length === 1;
  });
  const cancelling = await connectRaw(t, gate.port);
  await cancelling.send(cancelRequest(login.key!.pid, login.key!.key));
  await cancelling.expectClosed();
  const answer = await client.readMessagesUntil('Z');
  t.match(decodeErrorResponse(answer.find(({ type }) => type === 'E')!), { C: '57014' });

  client.halfClose();
  t.strictSame(await ended(gate), EXIT_0);
  t.strictSame(
    codedLines(gate).map(({ code }) => code),
    ['shutting-down', 'shutting-down'],
  );
});

await test('shutdown_timeout ends what has not finished', async (t) => {
  const upstream = await scriptedUpstream(t, letIn);
  const gate = await startGate(t, { hba: TRUST, upstream, config: { shutdown_timeout: '300ms' } });
  const { client } = await openSession(t, gate);
  gate.signal('SIGTERM');
  await expectTerminated(t, client);
  t.strictSame(await ended(gate), EXIT_0);
  t.match(await gate.waitForLog({ code: 'admin-terminated' }), { user: 'alice' });
});

for (const [name, signals] of [
  ['SIGINT does not wait', ['SIGINT']],
  ['a second SIGTERM ends the wait', ['SIGTERM', 'SIGTERM']],
  ['SIGINT after SIGTERM ends the wait', ['SIGTERM', 'SIGINT']],
] as const) {
  await test(name, async (t) => {
    const gate = await startGate(t, { hba: TRUST, upstream: await scriptedUpstream(t, letIn) });
    const { client } = await openSession(t, gate);
    for (const signal of signals) {
      const from = gate.logLength();
      gate.signal(signal);
      await gate.waitForLog({ msg: /^(draining|stopping): / }, { from });
    }
    await expectTerminated(t, client);
    t.strictSame(await ended(gate), EXIT_0);
  });
}

await test('a client that stands in the opening is closed without a byte, and not waited for', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: TRUST, upstream });
  const { client } = await openSession(t, gate);
  const silent = await connectRaw(t, gate.port);
  const halfway = await connectRaw(t, gate.port);
  await halfway.send(sslRequest().subarray(0, 6));
  const inHandshake = await connectRaw(t, gate.port);
  await inHandshake.requestTls();
  const inTls = await openClient(t, gate);
  await drain(gate);
  client.halfClose();
  for (const each of [silent, halfway, inHandshake, inTls]) await each.expectClosed();
  t.strictSame(await ended(gate), EXIT_0);
  t.strictSame(
    codedLines(gate).map(({ code }) => code),
    ['shutting-down', 'shutting-down', 'shutting-down', 'shutting-down'],
  );
  t.equal(upstream.connections.filter(({ received }) => received.length > 0).length, 1);
});

await test('a client that does not close is not waited for', async (t) => {
  const gate = await startGate(t, { hba: TRUST, upstream: await scriptedUpstream(t, letIn) });
  const { client } = await openSession(t, gate);
  client.pause();
  gate.signal('SIGINT');
  t.strictSame(await ended(gate), EXIT_0);
  t.ok((await endTook(gate, /^stopping: /)) < 5_000);
});

await test('without sessions it ends at once', async (t) => {
  const gate = await startGate(t, { hba: TRUST, upstream: await scriptedUpstream(t, letIn) });
  gate.signal('SIGTERM');
  t.strictSame(await ended(gate), EXIT_0);
  t.ok((await endTook(gate, /^draining: /)) < 3_000);
});

async function drain(gate: Gate): Promise<void> {
  gate.signal('SIGTERM');
  await gate.waitForLog({ msg: /^draining: / });
}

/** How long the end of a gate took from this line on, in milliseconds. */
async function endTook(gate: Gate, msg: RegExp): Promise<number> {
  return msBetween(await gate.waitForLog({ msg }), await gate.waitForLog({ msg: 'stopped' }));
}

async function ended(gate: Gate): Promise<unknown> {
  return within(gate.exited, 'the gate to end');
}

async function expectTerminated(
  t: Scope & { match: (found: unknown, pattern: object) => boolean },
  client: Awaited<ReturnType<typeof openSession>>['client'],
): Promise<void> {
  const told: Message[] = decodeMessages(await client.readUntilClose());
  t.match(told.map(decodeErrorResponse), [TERMINATED]);
  client.halfClose();
}
