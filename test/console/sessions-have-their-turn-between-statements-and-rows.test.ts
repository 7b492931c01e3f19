// A message may hold a hundred thousand statements, a result a hundred thousand rows, and a statement may end each session of
// five thousand. Between them others are served.

import { test } from 'tap';
import { ConsoleSession, type ConsoleClient } from '../../src/console/console-session.ts';
import type { ConsoleView } from '../../src/console/console-view.ts';
import { query } from '../support/peers/raw-client.ts';
import { emptyView } from './empty-view.ts';
import { twoAdmins } from './two-admins.ts';

function sessionOver(view: Partial<ConsoleView>, client: ConsoleClient): ConsoleSession {
  const context = {
    view: { ...emptyView, ...view },
    user: 'dba',
    role: () => 'admin' as const,
    database: 'gatehouse',
    pid: 1,
    onAction: () => undefined,
  };
  return new ConsoleSession(context, client);
}

await test('many statements in one message', async (t) => {
  const { gate, one, other } = await twoAdmins(t);
  await one.send(query(`${'BEGIN;'.repeat(100_000)}RELOAD`));
  await one.readMessage();
  await other.send(query('RELOAD'));
  await gate.waitForLog(({ msg, user }) => msg === 'console: reload' && user === 'one');
  const reloads = gate.log.filter(({ msg }) => msg === 'console: reload');
  t.match(reloads, [{ user: 'other' }, { user: 'one' }], 'who comes later and wants little is served first');
});

await test('many rows of one answer', async (t) => {
  const rows = Array.from({ length: 1_000 }, (_, line) => ['pg_hba.conf', line, 'local all all trust', 0]);
  for (const [statement, type] of [
    ['SHOW RULES', 'D'],
    ['COPY rules TO STDOUT', 'd'],
  ] as const) {
    let written = 0;
    const pauses: number[] = [];
    const session = sessionOver(
      { rows: async () => rows },
      {
        write: (message) => (written += Number(message.toString('latin1', 0, 1) === type)),
        drained: async () => void pauses.push(written),
      },
    );
    await session.receive('Q', Buffer.from(`${statement}\0`));
    session.close();
    t.equal(written, rows.length, statement);
    const before = pauses.filter((count) => count < rows.length);
    t.equal(before.length, 3, 'it waits until the client has taken what there is');
  }
});

await test('many sessions that one statement ends', async (t) => {
  let turn = 0;
  let next: NodeJS.Immediate | null = null;
  const tick = (): void => {
    turn++;
    next = setImmediate(tick);
  };
  const looks: number[] = [];
  const session = sessionOver(
    {
      sessions: async () => {
        looks.push(turn);
        return [];
      },
    },
    { write: () => undefined, drained: async () => undefined },
  );
  tick();
  await session.receive(
    'Q',
    Buffer.from('SELECT pg_terminate_backend(x) FROM (VALUES (1), (2), (3)) AS v (x)\0'),
  );
  if (next !== null) clearImmediate(next);
  session.close();
  t.equal(looks.length, 3);
  t.equal(new Set(looks).size, 3, 'each in a turn of its own');
});

await test('many rules that are counted', async (t) => {
  const asked: string[] = [];
  const texts: string[] = [];
  const session = sessionOver(
    {
      rows: async (table) => {
        asked.push(table);
        return [];
      },
      ruleCount: async () => 100_000,
    },
    { write: (message) => texts.push(message.toString('latin1')), drained: async () => undefined },
  );
  await session.receive('Q', Buffer.from('SHOW LISTS\0'));
  session.close();
  t.match(
    texts.find((text) => text.includes('rules')),
    '100000',
  );
  t.strictSame(asked, ['workers'], 'no row of them is made');
});
