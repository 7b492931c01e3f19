// The upstream has taken the gate's own connection and says nothing more, to its startup packet or to its first
// statements. A gate that is told to end does not wait for it: `stopped` is its last word, and the process is gone.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream, type UpstreamConnection } from '../support/peers/scripted-upstream.ts';
import { within } from '../support/run/waiting.ts';

const STAGES: Readonly<Record<string, (connection: UpstreamConnection) => Promise<void>>> = {
  'the startup packet': async (connection) => void (await connection.readStartup()),
  'the first statements': async (connection) => {
    await connection.readStartup();
    await connection.acceptLogin();
    await connection.readMessage();
  },
};

for (const [stage, reach] of Object.entries(STAGES)) {
  await test(stage, async (t) => {
    const reached = Promise.withResolvers<void>();
    const upstream = await scriptedUpstream(t, async (connection) => {
      await reach(connection);
      reached.resolve();
      await connection.stall();
    });
    const gate = await startGate(t, {
      hba: 'host all all all trust\n',
      upstream,
      config: { auth_user: 'reader', upstream: { connect_timeout: '60s' } },
    });
    await within(reached.promise, 'the gate to log in');
    gate.signal('SIGTERM');
    await gate.waitForLog({ msg: 'stopped' });
    const stoppedAt = performance.now();
    t.strictSame(await within(gate.exited, 'the gate to end'), { code: 0, signal: null });
    t.ok(performance.now() - stoppedAt < 5_000, 'nothing keeps it up');
  });
}
