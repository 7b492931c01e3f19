// The client closes its sending side, by close_notify or by FIN; what the upstream still says arrives, whole, and the
// upstream's end comes after it.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { query, scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { letIn, openSession, takeOver, TRUST } from './clients.ts';
import { createKeystream, keystreamDigest, Seen } from './keystream.ts';

const ANSWER_BYTES = 3_000_017;
const QUERY = query('select');

for (const { how, tls, unix } of [
  { how: 'a close_notify', tls: true, unix: false },
  { how: 'a FIN', tls: false, unix: false },
  { how: 'a close_notify, before an upstream on a Unix socket', tls: true, unix: true },
]) {
  await test(how, async (t) => {
    const upstream = await scriptedUpstream(
      t,
      async (connection) => {
        await letIn(connection);
        await connection.read(QUERY.length);
        // The answer begins when the client's end has arrived here.
        await connection.stall();
        await connection.send(createKeystream(1)(ANSWER_BYTES));
        connection.halfClose();
      },
      { unix },
    );
    const gate = await startGate(t, { hba: TRUST, upstream });
    const { client } = await openSession(t, gate, { tls });
    const socket = takeOver(client);
    const seen = new Seen();
    socket.on('data', (chunk: Buffer) => seen.add(chunk)).resume();
    socket.end(QUERY);
    t.strictSame(await client.closed, { how: 'end' });
    t.strictSame([seen.length, seen.digest], [ANSWER_BYTES, keystreamDigest(1, ANSWER_BYTES)]);
    const line = await gate.waitForLog({ msg: /^disconnection/ });
    t.equal(line['end'], 'closed');
    t.strictSame(await gate.sessions(), []);
  });
}

await test('a bare FIN under TLS, as of a client that was killed', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await letIn(connection);
    await connection.stall();
    connection.halfClose();
  });
  const gate = await startGate(t, { hba: TRUST, upstream });
  const { client } = await openSession(t, gate);
  client.raw.end();
  await gate.waitForLog({ msg: /^disconnection/ });
  t.strictSame(await (await upstream.nextConnection()).closed, { how: 'end' });
});
