// A client that closes its sending side and breaks off in one breath, while its answer is on its way: the gate hears of
// it all in one turn, and libuv resets no socket whose shutdown is under way.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { oneColumnResult, scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { assertNothingOpen, idleFdCount } from '../support/peers/visitor.ts';
import { letIn, openSession, TRUST } from './clients.ts';

const CLIENTS = 20;
const ANSWER = oneColumnResult('a', ['an answer']);

for (const tls of [true, false]) {
  await test(tls ? 'inside TLS' : 'without TLS', async (t) => {
    const upstream = await scriptedUpstream(t, letIn);
    const gate = await startGate(t, { hba: TRUST, upstream });
    const before = await idleFdCount(gate);
    for (let count = 0; count < CLIENTS; count++) {
      const { client } = await openSession(t, gate, { tls });
      const connection = await upstream.nextConnection();
      const from = gate.logLength();
      // Both arrive before the gate looks.
      gate.signal('SIGSTOP');
      await new Promise<void>((resolve) => client.socket.end(resolve));
      client.reset();
      await connection.send(ANSWER);
      gate.signal('SIGCONT');
      await connection.closed;
      await gate.waitForLog({ msg: /^disconnection/ }, { from });
    }
    await assertNothingOpen(t, gate, before);
    t.strictSame(await gate.sessions(), []);
  });
}
