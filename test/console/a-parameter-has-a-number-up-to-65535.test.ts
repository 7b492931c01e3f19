// A client names its parameters by number. One that no Bind could supply is refused before anything is as long as it says.

import { test } from 'tap';
import { exchange, openConsole, trustingConsole } from './at-trusting-console.ts';
import { describe, parse, SYNC } from './extended-messages.ts';

await test('numbers below, above and at the limit', async (t) => {
  const client = await openConsole(t, await trustingConsole(t));
  for (const number of ['0', '65536', '999999999', '9'.repeat(100_000)]) {
    const shown = number.slice(0, 9);
    t.strictSame(await exchange(client, parse('', `SELECT $${number}`), SYNC), ['E 42P02', 'Z I'], shown);
  }
  await client.send(parse('', 'SELECT $65535'), describe(''), SYNC);
  const answer = await client.readMessagesUntil('Z');
  t.equal(answer.map(({ type }) => type).join(''), '1tTZ');
  t.equal(answer.find(({ type }) => type === 't')?.body.readUInt16BE(), 65_535, 'that many parameters');
  t.strictSame(await exchange(client, parse('', 'SELECT $1'), SYNC), ['1', 'Z I']);
});
