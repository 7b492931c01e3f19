// A gate that is killed in the middle of a statement that never ends leaves no process: the engine notices and ends.

import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { test } from 'tap';
import { connectRaw, query } from '../support/peers/raw-client.ts';
import { startGate } from '../support/run/gate.ts';
import { PATIENCE_MS } from '../support/run/waiting.ts';

const ENDLESS = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n';

await test('SIGKILL', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { admin_users: 'dba' },
  });
  const client = await connectRaw(t, gate.port);
  t.equal((await client.login({ user: 'dba', database: 'gatehouse' })).error, null);
  await client.send(query('SELECT 1'));
  await client.readMessagesUntil('Z');
  const [engine, ...others] = gate.processes().filter((pid) => pid !== gate.pid);
  t.ok(engine !== undefined && others.length === 0, 'one engine');
  await client.send(query(ENDLESS));
  const other = await connectRaw(t, gate.port);
  await other.login({ user: 'dba', database: 'gatehouse' });
  await other.send(query('SELECT 2'));
  await other.readMessagesUntil('Z');
  gate.signal('SIGKILL');
  await client.expectClosed();
  const until = performance.now() + PATIENCE_MS;
  while (existsSync(`/proc/${engine}`) && performance.now() < until) await setImmediate();
  t.notOk(existsSync(`/proc/${engine}`), 'the engine is gone, though it was in native code');
});
