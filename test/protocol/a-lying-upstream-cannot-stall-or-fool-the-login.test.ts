// What a hostile or broken upstream may send during the login: every case ends in a verdict, at once.

import * as fc from 'fast-check';
import { test, type Test } from 'tap';
import { GatehouseError } from '../../src/base/errors.ts';
import {
  decodeLoginMessage,
  LoginMessages,
  MAX_LOGIN_MESSAGE_LENGTH,
} from '../../src/protocol/login-messages.ts';

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
    // Only the exact AuthenticationOk is one.
    message('R', Buffer.concat([int32(0), Buffer.from('x')])),
    message('R', 'abc'),
    message('R', Buffer.concat([int32(10), Buffer.from('SCRAM-SHA-256')])),
    message('R', Buffer.concat([int32(10), Buffer.from('SCRAM-SHA-256\0')])),
    message('R', Buffer.concat([int32(10), Buffer.from('SCRAM-SHA-256\0\0PLAIN\0\0')])),
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
  t.match(decodeLoginMessage(message('E', Buffer.from('Mm\xfcller\0\0', 'latin1'))), {
    message: 'm\xfcller',
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

await test('a length that no message has is refused at its header', (t) => {
  for (const type of ['E', 'N', 'S', 'R', 'K', 'Z', 'D']) {
    for (const length of [3, 0, -1, -0x80000000]) refusesHeader(t, type, length);
  }
  // What decides must be held whole, so it is bounded.
  for (const type of ['R', 'K', 'Z', 'D']) {
    for (const length of [MAX_LOGIN_MESSAGE_LENGTH + 1, 0x7fffffff]) refusesHeader(t, type, length);
  }
  t.end();
});

function refusesHeader(t: Pick<Test, 'throws'>, type: string, length: number): void {
  const messages = new LoginMessages();
  messages.push(Buffer.concat([Buffer.from(type), int32(length)]));
  t.throws(() => messages.next(), { code: 'upstream-protocol-violation' }, `${type} of ${length}`);
}

await test('a long message that decides nothing comes in parts, however the stream is cut', (t) => {
  for (const type of ['E', 'N', 'S']) {
    for (const length of [MAX_LOGIN_MESSAGE_LENGTH, MAX_LOGIN_MESSAGE_LENGTH + 1, 300_000]) {
      const long = message(type, Buffer.alloc(length - 4, 0x41));
      const stream = Buffer.concat([message('R', int32(0)), long, message('Z', 'I')]);
      for (const step of [1_000, 65_536, stream.length]) {
        const { bytes, begins, ends, largest } = parts(stream, step);
        const name = `${type} of ${length} in steps of ${step}`;
        t.ok(bytes.equals(stream), `${name}: every byte`);
        t.strictSame([begins, ends], ['R' + type + 'Z', 3], `${name}: each message begins and ends once`);
        t.ok(largest <= MAX_LOGIN_MESSAGE_LENGTH + step, `${name}: ${largest} bytes held`);
      }
    }
  }
  t.end();
});

/** All that is given out while the stream arrives in pieces of `step` bytes. */
function parts(
  stream: Buffer,
  step: number,
): { bytes: Buffer; begins: string; ends: number; largest: number } {
  const messages = new LoginMessages();
  const given: Buffer[] = [];
  let [begins, ends, largest] = ['', 0, 0];
  for (let at = 0; at < stream.length; at += step) {
    messages.push(stream.subarray(at, at + step));
    largest = Math.max(largest, messages.rest.length);
    for (let part = messages.next(); part !== null; part = messages.next()) {
      given.push(Buffer.from(part.bytes));
      if (part.begins) begins += part.bytes.toString('latin1', 0, 1);
      if (part.ends) ends++;
    }
  }
  return { bytes: Buffer.concat(given), begins, ends, largest };
}

await test('the first part of a long error says what it is', (t) => {
  const long = message('E', `SFATAL\0C28P01\0Mno\0D${'x'.repeat(300_000)}\0\0`);
  const messages = new LoginMessages();
  messages.push(long);
  t.match(decodeLoginMessage(messages.next()!.bytes), { kind: 'error', sqlstate: '28P01', message: 'no' });
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
      for (let part = messages.next(); part !== null; part = messages.next()) {
        t.ok(part.begins && part.ends);
        got.push(Buffer.from(part.bytes));
      }
    }
    t.same(got, all);
    t.equal(messages.rest.toString(), 'A');
  }
  t.end();
});
