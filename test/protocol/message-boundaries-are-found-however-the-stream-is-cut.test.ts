// A property: however a stream of messages is cut into chunks, the boundaries and the session's state are the same.

import * as fc from 'fast-check';
import { test } from 'tap';
import { BackendStream, FrontendStream } from '../../src/protocol/message-boundary.ts';

function message(type: string, body: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

const statusBytes = new Map([
  ['I', 'idle'],
  ['T', 'idle in transaction'],
  ['E', 'idle in transaction (aborted)'],
]);

function nextCut(cuts: fc.Stream<number>): number {
  const cut: unknown = cuts.next().value;
  return typeof cut === 'number' ? cut : 1;
}

const anyMessage = fc.oneof(
  fc
    .tuple(fc.constantFrom('D', 'd', 'T', 'C', 'A', 'N', '1', 'n'), fc.uint8Array({ maxLength: 40 }))
    .map(([type, body]) => ({ type, bytes: message(type, Buffer.from(body)) })),
  fc.constantFrom('I', 'T', 'E').map((status) => ({ type: 'Z', bytes: message('Z', Buffer.from(status)) })),
  fc.constant({ type: 'S', bytes: message('S', Buffer.alloc(0)) }),
);

/** Notices, notifications and parameter reports come to an idle session too, and change nothing. */
const isSynchronous = ({ type }: { type: string }): boolean => !['A', 'N', 'S'].includes(type);

await test('the backend stream', (t) => {
  fc.assert(
    fc.property(
      fc.array(anyMessage, { minLength: 1, maxLength: 12 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      (messages, cuts) => {
        const stream = new BackendStream();
        const all = Buffer.concat(messages.map(({ bytes }) => bytes));
        const ends = new Map<number, number>();
        let end = 0;
        for (const [index, { bytes }] of messages.entries()) ends.set((end += bytes.length), index);
        for (let at = 0; at < all.length;) {
          const length = Math.min(nextCut(cuts), all.length - at);
          // The slab is longer than what was read into it, and holds other bytes behind.
          const slab = Buffer.concat([all.subarray(at, at + length), Buffer.from('Z\0\0\0\x05I')]);
          stream.push(slab, length);
          at += length;
          const whole = ends.get(at);
          if (stream.atBoundary !== (whole !== undefined)) return false;
          const telling =
            whole === undefined ? undefined : messages.slice(0, whole + 1).findLast(isSynchronous);
          const expected =
            telling?.type === 'Z' ? statusBytes.get(telling.bytes.toString('latin1', 5)) : 'active';
          if (stream.status !== expected) return false;
        }
        return stream.ready === messages.filter(({ type }) => type === 'Z').length;
      },
    ),
  );
  t.end();
});

await test('the frontend stream counts what a ReadyForQuery answers', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('Q', 'P', 'B', 'E', 'S', 'F', 'd', 'p'), { maxLength: 30 }),
      fc.integer({ min: 1, max: 7 }),
      (types, step) => {
        const stream = new FrontendStream();
        const all = Buffer.concat(types.map((type) => message(type, Buffer.from('Q\0'))));
        for (let at = 0; at < all.length; at += step) {
          const chunk = all.subarray(at, at + step);
          stream.push(chunk, chunk.length);
        }
        const last = types.findLast((type) => 'QSFPBE'.includes(type)) ?? 'Q';
        return (
          stream.requests === types.filter((type) => 'QSF'.includes(type)).length &&
          stream.isWithoutSync === 'PBE'.includes(last)
        );
      },
    ),
  );
  t.end();
});

await test('a stream that is not a protocol is never again at a boundary', (t) => {
  const stream = new BackendStream();
  for (const length of [0, 3, -1]) {
    const header = Buffer.alloc(5);
    header.writeInt32BE(length, 1);
    stream.push(header, 5);
    t.notOk(stream.atBoundary);
    const ready = message('Z', Buffer.from('I'));
    stream.push(ready, ready.length);
    t.equal(stream.status, 'active');
  }
  t.end();
});
