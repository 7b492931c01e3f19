// idle_session_timeout is for consoles too: 57P05 where nothing comes, not while a statement runs, and one line and one
// count at the end, by the code. A console that its client ends counts as relayed.

import { test } from 'tap';
import {
  connectRaw,
  decodeErrorResponse,
  query,
  startupMessage,
  terminate,
} from '../support/peers/raw-client.ts';
import { startGate } from '../support/run/gate.ts';

const TIMEOUT_MS = 10;

/**
 * A statement that runs for longer than the timeout on any machine, and ends by itself before the 5 s that a statement
 * may take.
 */
const SLOW =
  'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 400000) SELECT count(*) FROM n';

await test('each in turn', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { admin_users: 'dba', idle_session_timeout: `${TIMEOUT_MS}ms` },
  });
  const startup = { user: 'dba', database: 'gatehouse' };
  const client = await connectRaw(t, gate.port);
  // The statement comes with the startup message: a client that is slow with it would be idle before.
  const since = performance.now();
  await client.send(startupMessage(startup), query(SLOW));
  t.equal((await client.readLogin()).error, null);
  const answer = await client.readMessagesUntil('ZE');
  t.ok(performance.now() - since > TIMEOUT_MS, 'a statement that runs longer than the timeout');
  t.equal(answer.at(-1)?.type, 'Z', 'is not idle');
  const end = await client.readMessage();
  t.match(decodeErrorResponse(end), {
    S: 'FATAL',
    C: '57P05',
    M: 'terminating connection due to idle-session timeout',
  });
  await client.readUntilClose();
  t.match(await gate.waitForLog({ code: 'idle-session-timeout' }), { user: 'dba', database: 'gatehouse' });

  const other = await connectRaw(t, gate.port);
  await other.send(startupMessage(startup), terminate());
  t.equal((await other.readLogin()).error, null);
  await other.readUntilClose();
  await gate.waitForLog({ msg: /^disconnection: .*user=dba/ });
  const metrics = await gate.metrics();
  t.equal(metrics.value('gatehouse_connections_total', { outcome: 'idle-session-timeout' }), 1);
  t.equal(
    metrics.value('gatehouse_connections_total', { outcome: 'relayed' }),
    1,
    'answered as it should be',
  );
  t.equal(metrics.value('gatehouse_sessions'), 0);
});
