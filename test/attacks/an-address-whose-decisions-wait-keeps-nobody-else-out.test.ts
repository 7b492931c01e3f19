// A stranger chooses what its decision waits for: a host name in a zone of its own that never answers, a user for whom the
// upstream takes its time. While it waits it is not silent. One address that fills max_handshakes with such connections
// gives way all the same to a client of another address.

import { test } from 'tap';
import { connectRaw, startupMessage } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { startGate } from '../support/run/gate.ts';
import { until } from '../session/clients.ts';

/** So many that each of two workers has several. */
const PLACES = 16;

for (const workers of [1, 2]) {
  await test(`workers: ${workers}`, async (t) => {
    const upstream = await scriptedUpstream(t, async (connection) => {
      const { parameters } = await connection.readStartup();
      if (parameters['user'] === 'slow') return await connection.stall();
      await connection.acceptLogin();
      await connection.stall();
    });
    const gate = await startGate(t, {
      hba: 'host all slow all password\nhost all all all trust\n',
      upstream,
      config: { workers, max_handshakes: PLACES },
    });
    const strangers = [];
    for (let count = 0; count < PLACES; count++) {
      const stranger = await connectRaw(t, gate.port);
      await stranger.send(startupMessage({ user: 'slow' }));
      strangers.push(stranger);
    }
    await until(
      'all of them wait for the upstream',
      async () => upstream.received.filter((bytes) => bytes.includes('slow')).length === PLACES,
    );
    const neighbour = await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress: '127.0.0.9' });
    t.match(await gate.waitForLog({ code: 'handshake-evicted' }), { host: '127.0.0.1', user: 'slow' });
    t.equal((await neighbour.login({ user: 'alice' })).error, null);
    t.equal(strangers.filter(({ isClosed }) => isClosed).length, 1, 'one had to go');
  });
}
