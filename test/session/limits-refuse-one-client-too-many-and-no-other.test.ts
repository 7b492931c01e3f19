// max_connections, max_connections_per_address and max_handshakes: who is refused, with which words, and who is not.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { psql } from '../support/peers/psql.ts';
import { needs } from '../support/run/tools.ts';
import { codedLines, conninfo, letIn, openClient, openSession, TRUST, until } from './clients.ts';

const TOO_MANY = { S: 'FATAL', C: '53300', M: 'sorry, too many clients already' };

for (const [setting, code] of [
  ['max_connections', 'too-many-connections'],
  ['max_connections_per_address', 'too-many-connections-per-address'],
] as const) {
  await test(setting, async (t) => {
    const upstream = await scriptedUpstream(t, async (connection) => {
      await letIn(connection);
      await connection.stall();
      connection.halfClose();
    });
    const gate = await startGate(t, { hba: TRUST, upstream, config: { [setting]: 2 } });
    const { client: first } = await openSession(t, gate);
    await openSession(t, gate, { tls: false });
    // Strangers count against max_handshakes only.
    await connectRaw(t, gate.port);
    for (const tls of [true, false]) {
      const from = gate.logLength();
      const late = await openClient(t, gate, { tls });
      t.match((await late.login({ user: 'alice' })).error, TOO_MANY, tls ? 'inside TLS' : 'without TLS');
      late.halfClose();
      await gate.waitForLog({ code }, { from });
    }
    t.strictSame(
      codedLines(gate).map((line) => line.code),
      [code, code],
    );
    t.equal(upstream.connections.length, 2, 'the upstream has not heard of them');
    first.halfClose();
    await until('a place is free', async () => (await gate.sessions()).length === 1);
    await openSession(t, gate);
    t.equal((await gate.sessions()).length, 2);
  });
}

await test('one address more than its share leaves others theirs', async (t) => {
  const upstream = await scriptedUpstream(t, letIn);
  const hba = `${TRUST}host all all 127.0.0.2/32 trust\n`;
  const gate = await startGate(t, { hba, upstream, config: { max_connections_per_address: 1 } });
  await openSession(t, gate, { tls: false });
  const refused = await openClient(t, gate, { tls: false });
  t.match((await refused.login({ user: 'alice' })).error, TOO_MANY);
  const other = await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress: '127.0.0.2' });
  t.equal((await other.login({ user: 'alice' })).error, null);
});

await test('300 silent connections keep nobody out', needs('psql'), async (t) => {
  await using server = await startPostgres({ version: 15 });
  const gate = await startGate(t, { hba: TRUST, upstream: server, config: { max_handshakes: 256 } });
  const silent: RawClient[] = [];
  for (let each = 0; each < 300; each += 1) silent.push(await connectRaw(t, gate.port));
  const target = conninfo(gate, gate.authority.client('postgres'));
  const { stdout, stderr } = await psql(target, ['-c', 'select 1']);
  t.equal(stdout, '1\n', stderr);
  await Promise.all(silent.slice(0, 44).map((client) => client.expectClosed()));
  const evicted = codedLines(gate).map(({ code }) => code);
  // The oldest went for those that came later, psql among them.
  t.strictSame([...new Set(evicted)], ['handshake-evicted']);
  t.ok(evicted.length >= 44 && evicted.length <= 46, `${evicted.length} were dropped`);
  t.notOk(silent.at(-1)?.isClosed);
});

await test('a session never makes room for a stranger', async (t) => {
  const upstream = await scriptedUpstream(t, letIn);
  const gate = await startGate(t, { hba: TRUST, upstream, config: { max_handshakes: 1 } });
  const { client } = await openSession(t, gate);
  const first = await connectRaw(t, gate.port);
  await connectRaw(t, gate.port);
  await first.expectClosed();
  t.notOk(client.isClosed);
  t.equal((await gate.sessions()).length, 1);
});
