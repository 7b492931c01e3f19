// A session that was terminated, or that has been idle for too long, is over for everybody but its client: whoever
// lists, counts or cancels does not see it any more, however long the client takes to hang up.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { cancelRequest, connectRaw, decodeErrorResponse } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { letIn, openSession, TRUST, until } from './clients.ts';

const ways = [
  { name: 'terminated', sqlstate: '57P01', config: {} },
  { name: 'idle for too long', sqlstate: '57P05', config: { idle_session_timeout: '200ms' } },
] as const;

for (const workers of [1, 2]) {
  for (const { name, sqlstate, config } of ways) {
    await test(`${name}, workers: ${workers}`, async (t) => {
      const upstream = await scriptedUpstream(t, letIn);
      const limits = { max_connections: 1, max_connections_per_address: 1 };
      const gate = await startGate(t, { hba: TRUST, upstream, config: { workers, ...limits, ...config } });
      const { client, login } = await openSession(t, gate);
      if (sqlstate === '57P01') {
        const [session] = await gate.sessions();
        const { status } = await gate.admin(`/sessions/${session?.id}`, { method: 'DELETE' });
        t.equal(status, 200);
      }
      const last = (await client.readMessagesUntil('E')).at(-1);
      t.match(last && decodeErrorResponse(last), { C: sqlstate });
      // The client stays: nothing is closed on its side until the test is over.
      t.strictSame(await gate.sessions(), []);
      t.equal((await gate.metrics()).value('sessions'), 0);

      const { pid, key } = login.key!;
      const cancel = await connectRaw(t, gate.port);
      await cancel.send(cancelRequest(pid, key));
      await cancel.expectClosed();
      const outcomes = (outcome: string): Promise<number> =>
        gate.metrics().then((metrics) => metrics.value('cancel_requests_total', { outcome }));
      await until('the request is counted', async () => (await outcomes('unknown-key')) === 1);
      t.equal(await outcomes('forwarded'), 0, 'its key is gone');

      t.equal((await openSession(t, gate)).login.error, null, 'its place is free');
    });
  }
}
