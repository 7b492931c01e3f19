// Twenty consoles at one time in one process. The next one is told so, nobody loses his, and a place that is left is taken.

import { test } from 'tap';
import { connectRaw, query, terminate, type RawClient } from '../support/peers/raw-client.ts';
import { startGate } from '../support/run/gate.ts';

await test('twenty and one', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { stats_users: 'dba', max_connections: 1 },
  });
  const open = async (): Promise<{ client: RawClient; error: Readonly<Record<string, string>> | null }> => {
    const client = await connectRaw(t, gate.port);
    const { error } = await client.login({ user: 'dba', database: 'gatehouse' });
    return { client, error };
  };
  const consoles = await Promise.all(Array.from({ length: 20 }, open));
  t.strictSame(new Set(consoles.map(({ error }) => error)), new Set([null]));
  t.match((await open()).error, { S: 'FATAL', C: '53300', M: 'sorry, too many clients already' });
  t.match(await gate.waitForLog({ code: 'too-many-connections' }), { user: 'dba', database: 'gatehouse' });
  for (const { client } of consoles) {
    await client.send(query('SHOW VERSION'));
    t.equal((await client.readMessagesUntil('ZE')).at(-1)?.type, 'Z', 'nobody loses his');
  }
  t.equal(gate.processes().length, 1, 'and what needs no engine starts none');
  const first = consoles[0]!.client;
  await first.send(terminate());
  await first.readUntilClose();
  await gate.waitForLog({ msg: /^disconnection: / });
  t.equal((await open()).error, null, 'a place that was left');
});
