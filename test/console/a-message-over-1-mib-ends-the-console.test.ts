// A console takes messages of 1 MiB. A longer one, or a length that cannot be, ends it before any of it is waited for.

import { test } from 'tap';
import { connectRaw, decodeErrorResponse, query, type RawClient } from '../support/peers/raw-client.ts';
import { startGate } from '../support/run/gate.ts';

const MIB = 1024 * 1024;

await test('each length', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { admin_users: 'dba' },
  });
  const console = async (): Promise<RawClient> => {
    const client = await connectRaw(t, gate.port);
    t.equal((await client.login({ user: 'dba', database: 'gatehouse' })).error, null);
    return client;
  };
  const client = await console();
  // With its length word and the zero byte it is 1 MiB.
  const longest = query(`SELECT 1 -- ${'x'.repeat(MIB - 4 - 1 - 'SELECT 1 -- '.length)}`);
  t.equal(longest.readUInt32BE(1), MIB);
  await client.send(longest);
  t.strictSame(
    (await client.readMessagesUntil('Z')).map(({ type }) => type),
    ['T', 'D', 'C', 'Z'],
  );
  for (const length of [MIB + 1, 0xffffffff, 0x7fffffff, 3, 0]) {
    const other = await console();
    const from = gate.logLength();
    const header = Buffer.alloc(5);
    header.write('Q');
    header.writeUInt32BE(length, 1);
    await other.send(header);
    const error = decodeErrorResponse(await other.readMessage());
    t.match(error, { S: 'FATAL', C: '08P01', M: 'invalid message length' }, String(length));
    t.equal((await other.readUntilClose()).length, 0, 'and nothing after it');
    t.match(await gate.waitForLog({ code: 'console-protocol-violation' }, { from }), { user: 'dba' });
  }
  await client.send(query('SELECT 2'));
  await client.readMessagesUntil('Z');
  t.equal(
    (await gate.metrics()).value('gatehouse_connections_total', { outcome: 'console-protocol-violation' }),
    5,
  );
});
