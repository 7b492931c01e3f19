// The messages of a server's answer to a query: each is checked whole, in whatever pieces it comes, and what no answer has is
// refused. A library that trusts their form would read some of them without end.

import { test } from 'tap';
import { AnswerMessages } from '../../src/protocol/query/answer.ts';
import { cstring, int32, message, readyForQuery } from '../support/peers/messages.ts';

const FIELD = Buffer.concat([cstring('name'), Buffer.alloc(18)]);
const count = (value: number): Buffer => Buffer.from([0, value]);

const ROW = message('D', count(3), int32(2), Buffer.from('ab'), int32(-1), int32(0));
const ANSWER: readonly Buffer[] = [
  message('1'),
  message('2'),
  message('n'),
  message('T', count(2), FIELD, FIELD),
  ROW,
  message('C', cstring('SELECT 1')),
  message('E', Buffer.from('SERROR\0C42501\0Mno\0\0')),
  message('I'),
  readyForQuery(),
];
const ASIDE: readonly Buffer[] = [
  message('N', Buffer.from('no form at all')),
  message('S', Buffer.from('no NUL')),
  message('A', Buffer.alloc(3)),
];

const REFUSED: Readonly<Record<string, Buffer>> = {
  'an error without its end': message('E', Buffer.from('SERROR\0Mno\0')),
  'an error whose text has no end': message('E', Buffer.from('Mno')),
  'an error with more behind its end': message('E', Buffer.from('Mno\0\0x')),
  'a row that is longer than its message': message('D', count(1), int32(3), Buffer.from('ab')),
  'a row of a negative length': message('D', count(1), int32(-2)),
  'a row with more behind it': message('D', count(0), Buffer.from('x')),
  'a description of fewer fields than it says': message('T', count(2), FIELD),
  'a tag without its end': message('C', Buffer.from('SELECT 1')),
  'a status of two bytes': message('Z', Buffer.from('II')),
  'a body where none is': message('1', Buffer.from('x')),
  'an authentication message': message('R', int32(0)),
  'a copy': message('G', Buffer.from([0, 0, 0])),
  'a length below its own': Buffer.from('D\0\0\0\x03', 'latin1'),
  'a length of a gigabyte': Buffer.from('D\x40\0\0\0', 'latin1'),
};

await test('an answer arrives whole, in whatever pieces', (t) => {
  const all = Buffer.concat([...ASIDE, ...ANSWER, ...ASIDE, ROW]);
  const expected = Buffer.concat([...ANSWER, ROW]);
  for (const size of [1, 2, 7, 64, all.length]) {
    const messages = new AnswerMessages();
    const passed: Buffer[] = [];
    for (let at = 0; at < all.length; at += size) passed.push(messages.push(all.subarray(at, at + size)));
    t.same(Buffer.concat(passed), expected, `${size} bytes at one time`);
  }
  t.end();
});

await test('what no answer has is refused', (t) => {
  for (const [what, bytes] of Object.entries(REFUSED)) {
    t.throws(() => new AnswerMessages().push(bytes), { code: 'upstream-protocol-violation' }, what);
  }
  t.end();
});
