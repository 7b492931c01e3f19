// What a length says is believed only as far as the bytes around it are there: two readers of the same bytes must not
// see different things.

import { test } from 'tap';
import { DerError, DerReader, tags } from '../../src/x509/der.ts';

const table: readonly (readonly [why: string, bytes: readonly number[]])[] = [
  ['longer than the file', [0x30, 0x04, 0x02, 0x09, 0x01, 0x02]],
  [
    'longer than the sequence around it, though the file goes on',
    [0x30, 0x04, 0x02, 0x03, 0x01, 0x02, 0x03, 0x04],
  ],
  ['longer by one', [0x30, 0x03, 0x02, 0x02, 0x01, 0x02]],
  ['longer than any file, in four octets', [0x30, 0x06, 0x02, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x01]],
];

for (const [why, bytes] of table) {
  await test(why, async (t) => {
    const sequence = new DerReader(Buffer.from(bytes)).enter(tags.sequence);
    t.throws(() => sequence.read(tags.integer), DerError);
  });
}

await test('exactly as long as it may be', async (t) => {
  const sequence = new DerReader(Buffer.from([0x30, 0x04, 0x02, 0x02, 0x01, 0x02])).enter(tags.sequence);
  t.strictSame([...sequence.contents(tags.integer)], [1, 2]);
  t.ok(sequence.atEnd);
});
