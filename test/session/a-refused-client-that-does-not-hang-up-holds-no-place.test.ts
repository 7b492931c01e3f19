// A client that is refused once a rule has admitted it is told so, and may take its time to hang up. Meanwhile it is not a
// session any more: it counts against no limit, is in no list, and keeps nobody out, of max_handshakes neither.

import { test } from 'tap';
import { connectRaw, errorResponse } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { startGate } from '../support/run/gate.ts';
import { openSession } from './clients.ts';

await test('refused by the upstream, by the console, and by its limit', async (t) => {
  const upstream = await scriptedUpstream(t, async (link) => {
    await link.readPacket();
    await link.send(errorResponse({ S: 'FATAL', C: '3D000', M: 'database "x" does not exist' }));
    link.halfClose();
  });
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { admin_users: 'dba', max_connections: 1, max_connections_per_address: 1 },
  });
  for (let turn = 0; turn < 3; turn++) {
    const client = await connectRaw(t, gate.port);
    const { error } = await client.login({ user: 'app', database: 'x' });
    t.match(error, { C: '3D000' }, 'not 53300, though the last one is still connected');
    t.strictSame(await gate.sessions(), []);
  }
  // More than a process serves: none of them is in a list of the console's.
  for (let turn = 0; turn < 21; turn++) {
    const client = await connectRaw(t, gate.port);
    t.match((await client.login({ user: 'app', database: 'gatehouse' })).error, { C: '42501' });
  }
  const dba = await connectRaw(t, gate.port);
  t.equal((await dba.login({ user: 'dba', database: 'gatehouse' })).error, null, 'the console is free');
  t.equal((await gate.metrics()).value('gatehouse_sessions'), 0);
});

await test('above max_handshakes it goes before a client that may be let in', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all app all trust\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    config: { max_handshakes: 3 },
  });
  for (let turn = 0; turn < 3; turn++) {
    const client = await connectRaw(t, gate.port);
    t.match((await client.login({ user: 'mallory' })).error, { C: '28000' });
  }
  await openSession(t, gate, { parameters: { user: 'app' } });
  t.equal((await gate.sessions()).length, 1);
});
