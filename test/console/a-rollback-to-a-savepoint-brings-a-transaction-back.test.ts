// A driver that sets a savepoint before each statement goes back to it after an error, and its transaction goes on.

import { test } from 'tap';
import { needs } from '../support/run/tools.ts';
import { atConsole, Talk } from './at-console.ts';
import { ask, openConsole, trustingConsole } from './at-trusting-console.ts';

await test('whatever way it is written', async (t) => {
  const client = await openConsole(t, await trustingConsole(t));
  for (const back of [
    'ROLLBACK TO s',
    'ROLLBACK TO SAVEPOINT s',
    'ROLLBACK WORK TO s',
    'rollback transaction to savepoint s',
  ]) {
    t.strictSame(await ask(client, 'BEGIN; SAVEPOINT s'), ['C BEGIN', 'C SAVEPOINT', 'Z T']);
    t.strictSame(await ask(client, 'SELECT nobody'), ['E 42703', 'Z E']);
    t.strictSame(await ask(client, 'RELEASE s'), ['E 25P02', 'Z E']);
    t.strictSame(await ask(client, back), ['C ROLLBACK', 'Z T'], back);
    t.strictSame(await ask(client, back), ['C ROLLBACK', 'Z T'], `${back} again`);
    t.strictSame(await ask(client, 'RELEASE s'), ['C RELEASE', 'Z T']);
    t.strictSame(await ask(client, 'COMMIT'), ['C COMMIT', 'Z I']);
    t.strictSame(await ask(client, back), ['C ROLLBACK', 'Z I'], 'none begins with it');
  }
  for (const end of ['ROLLBACK', 'ROLLBACK WORK', 'ABORT TRANSACTION']) {
    t.strictSame(await ask(client, 'BEGIN; SELECT nobody'), ['C BEGIN', 'E 42703', 'Z E']);
    t.strictSame(await ask(client, end), ['C ROLLBACK', 'Z I'], end);
  }
});

await test('psql with ON_ERROR_ROLLBACK', needs('psql'), async (t) => {
  const { conninfo } = await atConsole(t, { upstream: null });
  const talk = new Talk(t, conninfo('alice'));
  await talk.ask(String.raw`\set ON_ERROR_ROLLBACK on`);
  t.strictSame(await talk.ask('BEGIN;'), ['BEGIN']);
  t.match(await talk.ask('SELECT nobody;'), [/^ERROR: {2}column "nobody" does not exist/]);
  t.strictSame(await talk.ask('SELECT 1;'), ['1']);
  t.strictSame(await talk.ask('COMMIT;'), ['COMMIT']);
});
