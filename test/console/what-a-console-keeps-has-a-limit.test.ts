// Prepared statements and portals stay as long as the client wants, and a portal that is fetched piece by piece keeps its
// rows. All of them together have a limit of bytes, so that nobody fills the memory of the gate; and what has been sent is kept
// no longer.

import { test } from 'tap';
import { cstring, message, query } from '../support/peers/raw-client.ts';
import { ask, exchange, openConsole, trustingConsole } from './at-trusting-console.ts';
import { parse, SYNC } from './extended-messages.ts';

const NONE = Buffer.from([0, 0]);

/** A statement of almost as many characters as a message may have. */
const LONG = `SELECT '${'x'.repeat(1_000_000)}'`;

/** Almost as many bytes as a result may have. */
const LARGE = `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 15)
  SELECT printf('%0900000d', n) FROM r`;

function bind(portal: string, statement: string): Buffer {
  return message('B', cstring(portal), cstring(statement), NONE, NONE, NONE);
}

/** Execute, for so many rows; 0 = all. */
function fetch(portal: string, rows: number): Buffer {
  return message('E', cstring(portal), Buffer.from([0, 0, 0, rows]));
}

function close(kind: 'S' | 'P', name: string): Buffer {
  return message('C', Buffer.from(kind), cstring(name));
}

await test('statements', async (t) => {
  const client = await openConsole(t, await trustingConsole(t));
  t.strictSame(await exchange(client, parse('a', LONG), parse('b', LONG), SYNC), ['1', '1', 'Z I']);
  t.strictSame(await exchange(client, parse('c', LONG), SYNC), ['E 53400', 'Z I']);
  t.strictSame(await exchange(client, parse('c', 'SELECT 1'), SYNC), ['1', 'Z I'], 'a short one has room');
  t.strictSame(await exchange(client, close('S', 'a'), parse('d', LONG), SYNC), ['3', '1', 'Z I']);
  t.strictSame(await ask(client, 'DEALLOCATE ALL'), ['C DEALLOCATE ALL', 'Z I']);
  t.strictSame(await exchange(client, parse('a', LONG), parse('', LONG), SYNC), ['1', '1', 'Z I']);
  t.strictSame(await exchange(client, parse('', LONG), SYNC), ['1', 'Z I'], 'the unnamed one is replaced');
});

await test('rows that wait to be fetched', async (t) => {
  const client = await openConsole(t, await trustingConsole(t));
  await ask(client, 'BEGIN');
  for (const portal of ['a', 'b']) {
    const answers = await exchange(client, parse('', LARGE), bind(portal, ''), fetch(portal, 1), SYNC);
    t.strictSame(answers, ['1', '2', 'D', 's', 'Z T']);
  }
  t.strictSame(await exchange(client, bind('c', ''), fetch('c', 1), SYNC), ['2', 'E 53400', 'Z E']);
  t.strictSame(await exchange(client, query('ROLLBACK')), ['C ROLLBACK', 'Z I']);
  await ask(client, 'BEGIN');
  for (const portal of ['a', 'b', 'c']) {
    const answers = await exchange(client, parse('', LARGE), bind(portal, ''), fetch(portal, 0), SYNC);
    t.equal(answers.at(-2), 'C SELECT 15', 'what has been sent is kept no longer');
    t.strictSame(
      await exchange(client, fetch(portal, 0), SYNC),
      ['C SELECT 0', 'Z T'],
      'and is not sent again',
    );
  }
});

await test('a name that is taken', async (t) => {
  const client = await openConsole(t, await trustingConsole(t));
  await ask(client, 'BEGIN');
  t.strictSame(await exchange(client, parse('', 'SELECT 1'), bind('a', ''), SYNC), ['1', '2', 'Z T']);
  t.strictSame(await exchange(client, bind('', ''), bind('', ''), SYNC), ['2', '2', 'Z T']);
  t.strictSame(await exchange(client, close('P', 'a'), bind('a', ''), SYNC), ['3', '2', 'Z T']);
  t.strictSame(await exchange(client, bind('a', ''), SYNC), ['E 42P03', 'Z E']);
});
