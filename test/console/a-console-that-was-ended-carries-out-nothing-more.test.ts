// A console that is ended has the rest of a message still to do. Between two statements it is gone, and none that was left
// is carried out.

import { test } from 'tap';
import { query } from '../support/peers/raw-client.ts';
import { twoAdmins } from './two-admins.ts';

await test('the rest of its message', async (t) => {
  const { gate, one, other } = await twoAdmins(t);
  const { id } = await gate.waitForLog(({ user }) => user === 'one');
  const from = gate.logLength();
  await one.send(query(`${'BEGIN;'.repeat(100_000)}RELOAD`));
  await one.readMessage();
  await other.send(query(`KILL_CLIENT '${String(id)}'`));
  await gate.waitForLog({ code: 'admin-terminated' }, { from });
  await other.send(query('RELOAD'));
  await gate.waitForLog(({ user, msg }) => user === 'other' && msg === 'console: reload', { from });
  t.notOk(gate.log.some(({ user, msg }) => user === 'one' && msg === 'console: reload'));
});
