// A reload changes connect_timeout and nothing that names the catalogue. The session goes on, and the next one is begun by
// the settings in force: where the server is silent, the attempt ends in their time.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { until } from '../session/clients.ts';
import { reloaded } from '../production/clients.ts';
import { SET } from './catalog-server.ts';

await test('connect_timeout of a reload', async (t) => {
  let logins = 0;
  const lost = Promise.withResolvers<void>();
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.readStartup();
    if (++logins > 1) return await connection.stall();
    await connection.acceptLogin();
    await connection.readMessage();
    await connection.send(SET);
    await lost.promise;
    connection.destroy();
  });
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { auth_user: 'reader', upstream: { connect_timeout: '10min' }, reload: { watch: 'off' } },
  });
  await until('the session stands', async () => (await gate.metrics()).value('catalog_up') === 1);
  const settings = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
  gate.rewrite('gatehouse.yaml', settings.replace(/connect_timeout: .*/, 'connect_timeout: 500ms'));
  t.match(await reloaded(gate), { ok: true });
  t.equal(logins, 1, 'it is the same session');
  lost.resolve();
  await gate.waitForLog({ msg: /^could not ask the upstream's catalogue: .*time/ });
});
