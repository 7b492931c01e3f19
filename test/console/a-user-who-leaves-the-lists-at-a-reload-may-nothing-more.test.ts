// The lists are those in force: a reload that takes a user off them takes the right away from a console that is open, and
// one that brings him back gives it back.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { atConsole, Talk } from './at-console.ts';
import { exchange, openConsole, trustingConsole } from './at-trusting-console.ts';
import { parse, SYNC } from './extended-messages.ts';
import { needs } from '../support/run/tools.ts';

await test('from admin to stats to nothing, and back', needs('psql'), async (t) => {
  const { gate, conninfo } = await atConsole(t, { upstream: null });
  const talk = new Talk(t, conninfo('alice'));
  const yaml = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
  const lists = async (admins: string, stats: string): Promise<void> => {
    const without = yaml.replace(/^(admin|stats)_users:.*\n( +-.*\n)*/gm, '');
    t.not(without, yaml);
    gate.rewrite('gatehouse.yaml', `${without}\nadmin_users: '${admins}'\nstats_users: '${stats}'\n`);
    const { status, body } = await gate.admin('/reload', { method: 'POST' });
    t.equal(status, 200, body);
  };
  t.strictSame(await talk.ask('SELECT pg_reload_conf();'), ['t']);

  await lists('', 'alice,bob');
  t.strictSame(await talk.ask('SELECT pg_reload_conf();'), [
    'ERROR:  permission denied for function pg_reload_conf',
  ]);
  t.strictSame(await talk.ask('SELECT count(*) FROM rules;'), ['1'], 'she may look');

  await lists('', 'bob');
  for (const statement of [
    'SELECT 1',
    'SHOW ssl',
    'SELECT * FROM sessions',
    'RELOAD',
    'KILL_CLIENT 1',
    'BEGIN',
  ])
    t.match(await talk.ask(`${statement};`), [/^ERROR: {2}permission denied/], statement);

  await lists('alice', 'bob');
  await talk.ask('ROLLBACK;');
  t.strictSame(await talk.ask('SELECT pg_reload_conf();'), ['t'], 'the same console');
});

await test('nor prepare a statement', async (t) => {
  const gate = await trustingConsole(t);
  const client = await openConsole(t, gate);
  t.strictSame(await exchange(client, parse('', 'SELECT 1'), SYNC), ['1', 'Z I']);
  const yaml = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
  gate.rewrite(
    'gatehouse.yaml',
    `${yaml.replace(/^admin_users:.*\n( +-.*\n)*/gm, '')}\nadmin_users: other\n`,
  );
  const { status, body } = await gate.admin('/reload', { method: 'POST' });
  t.equal(status, 200, body);
  t.strictSame(await exchange(client, parse('', 'SELECT 1'), SYNC), ['E 42501', 'Z I']);
});
