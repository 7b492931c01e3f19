// DEALLOCATE and DISCARD ALL, by which a driver or a pool forgets what it has prepared, make room for it again.

import { test } from 'tap';
import { query } from '../support/peers/raw-client.ts';
import { ask, exchange, openConsole, trustingConsole } from './at-trusting-console.ts';
import { execute, parse, SYNC } from './extended-messages.ts';

/** Prepared statements that a console holds. */
const LIMIT = 1_000;

const PREPARED = ['1', 'Z I'];

await test('by name, and all of them', async (t) => {
  const client = await openConsole(t, await trustingConsole(t));
  for (const [name, statement, tag] of [
    ['s1', 'DEALLOCATE s1', 'DEALLOCATE'],
    ['s1', 'deallocate PREPARE S1', 'DEALLOCATE'],
    ['Ärger 1', 'DEALLOCATE "Ärger 1"', 'DEALLOCATE'],
    ['all', 'DEALLOCATE "all"', 'DEALLOCATE'],
    ['prepare', 'DEALLOCATE prepare', 'DEALLOCATE'],
    ['s1', 'DEALLOCATE ALL', 'DEALLOCATE ALL'],
    ['s1', 'DISCARD ALL', 'DISCARD ALL'],
  ] as const) {
    t.strictSame(await exchange(client, parse(name, 'BEGIN'), SYNC), PREPARED, statement);
    t.strictSame(await exchange(client, parse(name, 'BEGIN'), SYNC), ['E 42P05', 'Z I']);
    t.strictSame(await ask(client, statement), [`C ${tag}`, 'Z I']);
    t.strictSame(await exchange(client, execute(name), SYNC), ['E 26000', 'Z I'], 'it is gone');
  }
  for (const [statement, code] of [
    ['DEALLOCATE s1', '26000'],
    ['DEALLOCATE', '42601'],
    ['DEALLOCATE s1 s2', '42601'],
    [`DEALLOCATE 's1'`, '42601'],
  ] as const) {
    t.strictSame(await ask(client, statement), [`E ${code}`, 'Z I'], statement);
  }
  const twice = await exchange(client, parse('', 'DISCARD ALL'), execute(''), execute(''), SYNC);
  t.strictSame(twice, ['1', '2', 'C DISCARD ALL', '2', 'C DISCARD ALL', 'Z I']);
  t.strictSame(await exchange(client, parse('s1', 'BEGIN'), SYNC), PREPARED);
  t.strictSame(await ask(client, 'BEGIN; DISCARD TEMP; COMMIT'), [
    'C BEGIN',
    'C DISCARD TEMP',
    'C COMMIT',
    'Z I',
  ]);
  t.strictSame(
    await exchange(client, parse('s1', 'BEGIN'), SYNC),
    ['E 42P05', 'Z I'],
    'other things to discard',
  );
});

await test('more of them than a console holds', async (t) => {
  const client = await openConsole(t, await trustingConsole(t));
  const many = Array.from({ length: LIMIT + 1 }, (_, index) => [
    parse(`s${index}`, 'BEGIN'),
    SYNC,
    query(`DEALLOCATE s${index}`),
  ]);
  await client.send(...many.flat());
  for (const _ of many) {
    t.equal((await client.readMessagesUntil('Z'))[0]?.type, '1');
    t.equal((await client.readMessagesUntil('Z'))[0]?.type, 'C');
  }
});
