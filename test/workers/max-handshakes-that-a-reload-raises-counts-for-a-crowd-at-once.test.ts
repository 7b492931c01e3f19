// So many connections have come that the gate goes on and on dropping one of them, and a reload raises max_handshakes
// meanwhile, as an operator does in such an hour. From there on none is dropped that the new limit has room for.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';

const LIMIT = 80;
/** A quarter of them in each worker, more or less: no worker drops any by itself. */
const CONNECTIONS = 200;

await test('max_handshakes is raised while a crowd is there', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { workers: 4, max_handshakes: LIMIT, reload: { watch: 'off' }, authentication_timeout: '10min' },
  });
  const evicted = (): number => gate.log.filter(({ code }) => code === 'handshake-evicted').length;
  const received = (): number => gate.log.filter(({ msg }) => msg.startsWith('connection received')).length;
  // It sees all of them at one moment, and what it has to do goes on while it reloads.
  gate.signal('SIGSTOP');
  for (let count = 0; count < CONNECTIONS; count++) await connectRaw(t, gate.port);
  while (received() < CONNECTIONS) await gate.waitForLog(() => true, { from: gate.logLength() });
  t.equal(evicted(), 0);
  const settings = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
  gate.rewrite('gatehouse.yaml', settings.replace(/max_handshakes: .*/, `max_handshakes: ${CONNECTIONS}`));
  gate.reload();
  gate.signal('SIGCONT');
  await gate.waitForLog({ msg: /^reloaded: settings \(max_handshakes\)/ });
  // Each asks every worker, as each eviction does: there is time for all that would be dropped.
  for (let asked = 0; asked < CONNECTIONS; asked++) await gate.sessions();
  t.ok(evicted() < CONNECTIONS - LIMIT, `${evicted()} were dropped`);
});
