// A client that asks and does not read holds up only itself: the gate takes its next message once it has read its last
// answer. Other consoles go on.

import { test } from 'tap';
import { connectRaw, query } from '../support/peers/raw-client.ts';
import { startGate } from '../support/run/gate.ts';
import { takeOver } from '../session/clients.ts';

const ROWS = 90_000;
const ROW_BYTES = 160;

/** What the kernel may hold for both ends together (tcp_wmem and tcp_rmem: 4 and 6 MiB), and a little. */
const IN_BUFFERS = 11 * 1024 * 1024;

/** 14 MB: more than the kernel's buffers of both ends hold. */
const LARGE = `WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT ${ROWS})
  SELECT '${'p'.repeat(140)}', x FROM n`;

await test('a large result, and a reload asked for with it', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { admin_users: 'dba' },
  });
  const startup = { user: 'dba', database: 'gatehouse' };
  const client = await connectRaw(t, gate.port);
  t.equal((await client.login(startup)).error, null);
  const other = await connectRaw(t, gate.port);
  t.equal((await other.login(startup)).error, null);

  await client.send(query(LARGE), query('RELOAD'));
  t.equal((await client.readMessage()).type, 'T', 'the answer has begun, all of it is written');
  client.pause();
  for (let turn = 0; turn < 20; turn++) {
    await other.send(query(`SELECT count(*) FROM pg_stat_activity WHERE state = 'active'`));
    const row = (await other.readMessagesUntil('Z')).find(({ type }) => type === 'D');
    t.equal(row?.body.subarray(-1).toString(), '2', 'it is in its statement, and so is who asks');
  }
  t.notOk(
    gate.log.some(({ msg }) => msg === 'console: reload'),
    'what it has asked for next waits',
  );

  const socket = takeOver(client);
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length)).resume();
  await gate.waitForLog({ msg: 'console: reload' });
  t.ok(bytes > ROWS * ROW_BYTES - IN_BUFFERS, 'once it has read');
});
