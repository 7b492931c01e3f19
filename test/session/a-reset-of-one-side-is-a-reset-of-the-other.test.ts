// A connection that one side breaks off is broken off on the other side too: a clean close would say that everything
// was told. What the upstream had said before still arrives.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { oneColumnResult, scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { letIn, openSession, TRUST } from './clients.ts';

const RESET = { how: 'error', error: { code: 'ECONNRESET' } };

for (const tls of [true, false]) {
  const how = tls ? 'inside TLS' : 'without TLS';

  await test(`the client resets, ${how}`, async (t) => {
    const upstream = await scriptedUpstream(t, scripts.trust);
    const gate = await startGate(t, { hba: TRUST, upstream });
    const { client } = await openSession(t, gate, { tls });
    const connection = await upstream.nextConnection();
    client.reset();
    t.match(await connection.closed, RESET);
    t.equal((await gate.waitForLog({ msg: /^disconnection/ }))['end'], 'client-reset');
    t.strictSame(await gate.sessions(), []);
  });

  await test(`the upstream resets, ${how}`, async (t) => {
    const words = oneColumnResult('a', ['last words']);
    const upstream = await scriptedUpstream(t, async (connection) => {
      await letIn(connection);
      await connection.send(words);
      await connection.read(1);
      connection.reset();
    });
    const gate = await startGate(t, { hba: TRUST, upstream });
    const { client } = await openSession(t, gate, { tls });
    t.strictSame(await client.read(words.length), words);
    await client.send(Buffer.from('!'));
    t.match(await client.closed, RESET);
    t.equal((await gate.waitForLog({ msg: /^disconnection/ }))['end'], 'upstream-reset');
    t.strictSame(await gate.sessions(), []);
  });
}

await test('an upstream on a Unix socket, which knows no reset', async (t) => {
  const upstream = await scriptedUpstream(
    t,
    async (connection) => {
      await letIn(connection);
      connection.destroy();
    },
    { unix: true },
  );
  const gate = await startGate(t, { hba: TRUST, upstream });
  const { client } = await openSession(t, gate);
  await client.closed;
  client.halfClose();
  await gate.waitForLog({ msg: /^disconnection/ });
  t.strictSame(await gate.sessions(), []);
});
