// What a hostile or broken upstream may send during the login: every case ends in a verdict, at once.

import * as fc from 'fast-check';
import { test } from 'tap';
import { GatehouseError } from '../../src/errors.ts';
import { decodeLoginMessage, LoginMessages, MAX_LOGIN_LENGTH } from '../../src/protocol/login-messages.ts';

function message(type: string, body: Buffer | string): Buffer {
  const bytes = Buffer.from(body);
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([header, bytes]);
}

const int32 = (...numbers: number[]): Buffer => {
  const bytes = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, index) => bytes.writeInt32BE(number, index * 4));
  return bytes;
};

await test('what each message means', (t) => {
  const table: [raw: Buffer, expected: object][] = [
    [message('R', int32(0)), { kind: 'authentication', code: 0 }],
    [message('R', int32(3)), { kind: 'authentication', code: 3 }],
    [message('R', int32(5, 0x01020304)), { kind: 'authentication', code: 5 }],
    [message('R', int32(7)), { kind: 'authentication', code: 7 }],
    [
      message('R', Buffer.concat([int32(10), Buffer.from('SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0')])),
      { kind: 'authentication', code: 10, mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] },
    ],
    [message('K', int32(7, 9)), { kind: 'backend-key-data', pid: 7, key: int32(9) }],
    [
      message('K', Buffer.concat([int32(7), Buffer.alloc(32, 1)])),
      { kind: 'backend-key-data', key: Buffer.alloc(32, 1) },
    ],
    [message('E', 'SFATAL\0C28P01\0Mno\0\0'), { kind: 'error', sqlstate: '28P01', message: 'no' }],
    [message('S', 'a\0b\0'), { kind: 'other' }],
    [message('N', 'SNOTICE\0\0'), { kind: 'other' }],
    [message('Z', 'I'), { kind: 'ready-for-query' }],
  ];
  for (const [raw, expected] of table) t.match(decodeLoginMessage(raw), expected);
  t.end();
});

await test('faults', (t) => {
  const table: Buffer[] = [
    // pg-protocol takes an AuthenticationCleartextPassword of the wrong length for AuthenticationOk.
    message('R', Buffer.concat([int32(0), Buffer.from('x')])),
    message('R', 'abc'),
    message('K', int32(1)),
    message('Z', ''),
    message('Z', 'II'),
    message('D', '\0\0'),
    message('v', int32(3 << 16, 0)),
    message('A', 'x'),
  ];
  for (const raw of table) t.throws(() => decodeLoginMessage(raw), { code: 'upstream-protocol-violation' });
  t.end();
});

await test('an unterminated error is an error all the same', (t) => {
  for (const body of ['', 'S', 'SFATAL', 'C28P01\0M', 'C28P01\0Mtext', 'C\0M\0x', '\xff'.repeat(300)]) {
    const read = decodeLoginMessage(message('E', body));
    t.equal(read.kind, 'error');
  }
  t.match(decodeLoginMessage(message('E', 'Mwithout sqlstate\0\0')), {
    sqlstate: null,
    message: 'without sqlstate',
  });
  t.match(decodeLoginMessage(message('E', 'C<scr>\0\0')), { sqlstate: null });
  t.end();
});

await test('any message of any bytes comes back, as a meaning or as a violation', (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom('R', 'K', 'E', 'N', 'S', 'Z', 'v', '\0'),
      fc.uint8Array({ maxLength: 200 }),
      (type, body) => {
        try {
          return decodeLoginMessage(message(type, Buffer.from(body))).kind.length > 0;
        } catch (error) {
          return error instanceof GatehouseError && error.code === 'upstream-protocol-violation';
        }
      },
    ),
    { numRuns: 2_000 },
  );
  t.end();
});

await test('lengths and amounts are bounded', (t) => {
  for (const length of [3, 0, 0x7fffffff, -1, 65_537]) {
    const messages = new LoginMessages();
    messages.push(Buffer.concat([Buffer.from('E'), int32(length)]));
    t.throws(() => messages.next(), { code: 'upstream-protocol-violation' }, String(length));
  }
  const endless = new LoginMessages();
  const notice = message('N', Buffer.alloc(60_000, 0x41));
  t.throws(
    () => {
      for (let sent = 0; sent <= MAX_LOGIN_LENGTH; sent += notice.length) {
        endless.push(notice);
        endless.next();
      }
    },
    { code: 'upstream-protocol-violation' },
  );
  t.end();
});

await test('messages are whole however the stream is cut', (t) => {
  const all = [message('R', int32(0)), message('S', 'a\0b\0'), message('Z', 'I')];
  const stream = Buffer.concat([...all, Buffer.from('A')]);
  for (let step = 1; step <= stream.length; step++) {
    const messages = new LoginMessages();
    const got: Buffer[] = [];
    for (let at = 0; at < stream.length; at += step) {
      messages.push(stream.subarray(at, at + step));
      for (let raw = messages.next(); raw !== null; raw = messages.next()) got.push(Buffer.from(raw));
    }
    t.same(got, all);
    t.equal(messages.rest.toString(), 'A');
  }
  t.end();
});
