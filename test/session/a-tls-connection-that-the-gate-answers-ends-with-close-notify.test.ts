// A cancel request and a console end as PostgreSQL ends them: with close_notify, and then the end of the stream. A TLS
// client that gets the end of the stream alone must take the connection for one that somebody has cut.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, cancelRequest, terminate, type RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { openSession } from './clients.ts';

/** An alert of TLS 1.2 in a record of its own, with the nonce and the tag of AES-GCM. */
const ALERT_BYTES = 5 + 8 + 2 + 16;

await test('each of them', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    if (connection.index === 0) return await scripts.trust(connection);
    await connection.readCancelRequest();
    connection.halfClose();
  });
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { admin_users: 'dba' },
  });
  const { login } = await openSession(t, gate);
  const { pid, key } = login.key!;

  const open = async (): Promise<RawClient> => {
    const client = await connectRaw(t, gate.port);
    // Nothing comes after such a handshake by itself, and what an alert takes is known.
    await client.openTls({ ca: gate.authority.cert, servername: 'localhost', maxVersion: 'TLSv1.2' });
    return client;
  };
  for (const [name, request] of [
    ['a cancel request', cancelRequest(pid, key)],
    ['a cancel request with a key that nobody has', cancelRequest(pid + 1, key)],
  ] as const) {
    const client = await open();
    const before = client.raw.bytesRead;
    await client.send(request);
    t.match(await client.expectClosed(), { how: 'end' });
    t.equal(client.raw.bytesRead - before, ALERT_BYTES, name);
  }

  const dba = await open();
  t.equal((await dba.login({ user: 'dba', database: 'gatehouse' })).error, null);
  const before = dba.raw.bytesRead;
  await dba.send(terminate());
  t.match(await dba.expectClosed(), { how: 'end' });
  t.equal(dba.raw.bytesRead - before, ALERT_BYTES, 'a console');
});
