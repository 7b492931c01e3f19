// An upstream may give one process number to several sessions, as a pooler does: by that number the console ends none of
// them, and says how one is ended.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { Asked } from '../session/asked.ts';
import { letIn, openSession, TRUST } from '../session/clients.ts';

await test('two sessions of number 7', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => await letIn(connection, { pid: 7 }));
  const gate = await startGate(t, { hba: TRUST, upstream, config: { admin_users: ['dba'] } });
  await openSession(t, gate);
  const { client } = await openSession(t, gate, {
    tls: false,
    parameters: { user: 'dba', database: 'gatehouse' },
  });
  const dba = new Asked(client);
  const second = await openSession(t, gate);
  for (const name of ['pg_terminate_backend', 'pg_cancel_backend']) {
    t.equal(await dba.ask(`SELECT ${name}(7)`), '2 sessions have PID 7');
  }
  const ids = (await gate.sessions()).map(({ id }) => id);
  t.equal(ids.length, 2, 'both are there');
  await dba.ask(`KILL_CLIENT '${ids[1]}'`);
  t.match(await gate.waitForLog({ code: 'admin-terminated' }), { id: ids[1] });
  t.equal(await dba.ask('SELECT pg_terminate_backend(7)'), 't', 'the last one of that number');
  await second.client.closed;
});
