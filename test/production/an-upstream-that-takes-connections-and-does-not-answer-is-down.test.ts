// What counts as an upstream that answers: one byte, S or N. A postmaster that is stopped, whose kernel still takes
// connections, is down; so is what answers otherwise, or not in time.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { scriptedUpstream, scripts, type Script } from '../support/peers/scripted-upstream.ts';

const HBA = 'hostssl all all all cert\n';

await test('a postmaster that is stopped is down', async (t) => {
  await using server = await startPostgres({ version: 15 });
  const gate = await startGate(t, {
    hba: HBA,
    upstream: server,
    config: { upstream: { connect_timeout: '500ms' } },
  });
  process.kill(server.pid, 'SIGSTOP');
  try {
    const { status, body } = await gate.admin('/readyz');
    t.equal(status, 503);
    t.match(body, /the upstream server does not answer/);
    t.equal((await gate.metrics()).value('upstream_up'), 0);
  } finally {
    process.kill(server.pid, 'SIGCONT');
  }
});

const answers: Readonly<Record<string, readonly [script: Script, status: number]>> = {
  'an upstream that says N': [saying('N'), 200],
  'an upstream that says another letter': [saying('H'), 503],
  'an upstream that says more': [saying('NN'), 503],
  'an upstream that says nothing': [scripts.stall, 503],
  'an upstream that closes': [
    async (connection) => {
      await connection.read(8);
      connection.halfClose();
    },
    503,
  ],
  'an upstream that resets': [
    async (connection) => {
      await connection.read(8);
      connection.reset();
    },
    503,
  ],
  'an upstream that says S and then nothing': [
    async (connection) => {
      await connection.read(8);
      await connection.send(Buffer.from('S'));
      await connection.stall();
    },
    200,
  ],
};
/** Reads the probe first, so that what it was is known however fast it ends. */
function saying(text: string): Script {
  return async (connection) => {
    await connection.read(8);
    await connection.send(Buffer.from(text));
  };
}

for (const [name, [script, expected]] of Object.entries(answers)) {
  await test(name, async (t) => {
    const upstream = await scriptedUpstream(t, script);
    // Waits as long as a probe may: a busy machine answers late, and only silence is no answer.
    const gate = await startGate(t, { hba: HBA, upstream });
    t.equal((await gate.admin('/readyz')).status, expected);
    // The gate closes after it, so all that it has sent is here then.
    const probe = await upstream.nextConnection();
    await probe.closed;
    t.equal(probe.received.subarray(0, 8).toString('hex'), '0000000804d2162f', 'it is an SSLRequest');
  });
}
