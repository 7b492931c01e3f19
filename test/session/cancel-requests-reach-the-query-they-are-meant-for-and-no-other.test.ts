// A CancelRequest goes on to the upstream only with the key of a session that the gate relays, in clear or inside TLS;
// every one is closed without a byte.

import { once } from 'node:events';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { connectionString, startClient } from '../support/peers/psql.ts';
import { cancelRequest, packet, query, int32 } from '../support/peers/messages.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { needs } from '../support/run/tools.ts';
import { within } from '../support/run/waiting.ts';
import { conninfo, letIn, openClient, openSession, plainConninfo, TRUST, until } from './clients.ts';

await test("psql's Ctrl-C", needs('psql'), async (t) => {
  await using server = await startPostgres({ version: 15 });
  const gate = await startGate(t, { hba: TRUST, upstream: server });
  const credentials = gate.authority.client('postgres');
  const settings = { libpq18: conninfo(gate, credentials, { max_protocol_version: 'latest' }) };
  for (const [how, target, libpq] of [
    ['inside TLS', conninfo(gate, credentials), undefined],
    ['without TLS', plainConninfo(gate), undefined],
    ['of libpq 18, asking for protocol 3.2', settings.libpq18, 18],
  ] as const) {
    const child = startClient(
      t,
      'psql',
      ['-X', '-c', 'select pg_sleep(600)', connectionString(target)],
      libpq === undefined ? {} : { libpq },
    );
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    const ended = once(child, 'close');
    await until('the query runs', async () => {
      const rows = await server.query(
        "select from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'",
      );
      return rows.length === 1;
    });
    child.kill('SIGINT');
    await within(ended, `psql ${how} to end`);
    t.match(stderr, /canceling statement due to user request/, how);
  }
});

await test('by its bytes', async (t) => {
  const THEIRS = Buffer.from('00112233', 'hex');
  const upstream = await scriptedUpstream(t, async (connection) => {
    // Sessions come first; what comes then is recorded.
    if (connection.index === 0) await letIn(connection, { pid: 77, key: THEIRS });
    else {
      await connection.readPacket();
      connection.halfClose();
    }
  });
  const gate = await startGate(t, { hba: TRUST, upstream });
  const { login } = await openSession(t, gate);
  const { pid, key } = login.key!;
  t.equal(pid, 77, "the upstream's process");
  t.equal(key.length, 4);
  t.notSame(key, THEIRS, "not the upstream's key");
  // The client's connection is closed once its request has been dealt with.
  const forwarded = (): readonly Buffer[] => upstream.received.slice(1);

  const foreign = testAuthority(t, { cn: 'Foreign CA' }).client('alice');
  const nearly = Buffer.from(key);
  nearly[3]! ^= 1;
  const ignored: [string, Buffer, { tls: boolean; credentials?: typeof foreign }][] = [
    ["the upstream's own key", cancelRequest(77, THEIRS), { tls: false }],
    ['another key', cancelRequest(77, nearly), { tls: false }],
    ['another process', cancelRequest(78, key), { tls: false }],
    ['a longer key', cancelRequest(77, Buffer.concat([key, Buffer.from([0])])), { tls: false }],
    ['a key cut short', cancelRequest(77, key.subarray(0, 3)), { tls: false }],
    ['no key', cancelRequest(77, Buffer.alloc(0)), { tls: false }],
    ['a key of 257 bytes', cancelRequest(77, Buffer.alloc(257)), { tls: false }],
    ['no process', packet(int32(80877102)), { tls: false }],
    ['a certificate that does not verify', cancelRequest(77, key), { tls: true, credentials: foreign }],
  ];
  for (const [how, request, options] of ignored) {
    const client = await openClient(t, gate, options);
    await client.send(request);
    await client.expectClosed();
    client.halfClose();
    t.strictSame(forwarded(), [], how);
  }
  t.match(await gate.waitForLog({ code: 'client-cert-untrusted' }), { code: 'client-cert-untrusted' });
  t.equal(gate.log.filter(({ code }) => code === 'invalid-cancel-request').length, 3);

  for (const tls of [false, true]) {
    const count = forwarded().length;
    const client = await openClient(t, gate, { tls });
    await client.send(cancelRequest(77, key));
    // The gate waits until the upstream has closed, as a client of PostgreSQL's does.
    await client.expectClosed();
    t.strictSame(forwarded().slice(count), [cancelRequest(77, THEIRS)], tls ? 'inside TLS' : 'in clear');
  }
  const metrics = await gate.metrics();
  t.equal(metrics.value('cancel_requests_total', { outcome: 'forwarded' }), 2);
  t.equal(metrics.value('cancel_requests_total', { outcome: 'unknown-key' }), 5);
  t.equal(metrics.value('cancel_requests_total', { outcome: 'refused' }), 1);
});

await test('the key of a session that has ended is forgotten', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await letIn(connection);
    await connection.stall();
    connection.halfClose();
  });
  const gate = await startGate(t, { hba: TRUST, upstream });
  const { client, login } = await openSession(t, gate);
  client.halfClose();
  await gate.waitForLog({ msg: /^disconnection/ });
  const cancelling = await connectRaw(t, gate.port);
  await cancelling.send(cancelRequest(login.key!.pid, login.key!.key));
  await cancelling.expectClosed();
  t.equal(upstream.connections.length, 1);
});

await test('an upstream that answers a cancel request with an error changes nothing', async (t) => {
  const upstream = await scriptedUpstream(t, (connection) =>
    connection.index === 0 ? letIn(connection) : connection.reset(),
  );
  const gate = await startGate(t, { hba: TRUST, upstream });
  const { client, login } = await openSession(t, gate);
  const cancelling = await connectRaw(t, gate.port);
  await cancelling.send(cancelRequest(login.key!.pid, login.key!.key));
  await cancelling.expectClosed();
  await client.send(query('select 1'));
  const [connection] = upstream.connections;
  t.equal((await connection!.readMessage()).type, 'Q', 'the session goes on');
  t.notOk(gate.log.some(({ code }) => code === 'internal-error'));
});
