// Message boundaries in both directions: whatever the stream and however it is cut, the watcher says what a reader of
// the whole stream says.

import { BackendStream, FrontendStream } from '../../src/protocol/message-boundary.ts';
import {
  backendKeyData,
  message,
  noticeResponse,
  oneColumnResult,
  query,
  readyForQuery,
  terminate,
} from '../../test/support/peers/messages.ts';
import { Draws, pieces } from '../draws.ts';
import { invariant, type Target } from '../target.ts';

const ASYNCHRONOUS = 'NAS';
const STATUS: Readonly<Record<string, string>> = {
  I: 'idle',
  T: 'idle in transaction',
  E: 'idle in transaction (aborted)',
};

export function boundariesTarget(): Target {
  return {
    maxLength: 2_048,
    limitMs: 200,
    seeds: [
      seed(oneColumnResult('a', ['1', '2']), readyForQuery()),
      seed(readyForQuery('T'), noticeResponse({ M: 'm' }), readyForQuery('E')),
      seed(query('select 1'), message('S'), terminate()),
      seed(readyForQuery(), backendKeyData(1, Buffer.alloc(4)), readyForQuery()),
    ],
    dictionary: [
      readyForQuery(),
      readyForQuery('T'),
      readyForQuery('E'),
      message('A'),
      message('D'),
      message('Q'),
    ],
    run: (input) => {
      const draws = new Draws(input);
      const pattern = draws.take(3);
      const bytes = draws.rest();
      const backend = new BackendStream();
      const frontend = new FrontendStream();
      let taken = 0;
      for (const piece of pieces(bytes, pattern)) {
        // What stands behind the piece in its buffer is not part of the stream.
        const buffer = Buffer.concat([piece, Buffer.from([0x5a, 0, 0, 0, 5, 0x49])]);
        backend.push(buffer, piece.length);
        frontend.push(buffer, piece.length);
        taken += piece.length;
        const toClient = readWhole(bytes.subarray(0, taken), { endsAtLateKey: true });
        const toUpstream = readWhole(bytes.subarray(0, taken), { endsAtLateKey: false });
        invariant(backend.atBoundary === toClient.atBoundary, 'a boundary towards the client is one');
        invariant(frontend.atBoundary === toUpstream.atBoundary, 'a boundary towards the upstream is one');
        invariant(backend.status === toClient.status, () => `${backend.status}, which is ${toClient.status}`);
        invariant(backend.ready === toClient.ready, 'every ReadyForQuery is counted');
        invariant(backend.hasLateKey === toClient.hasLateKey, 'a key after the login is seen');
        invariant(frontend.requests === toUpstream.requests, 'every request is counted');
      }
    },
  };
}

interface Reading {
  readonly atBoundary: boolean;
  readonly status: string;
  readonly ready: number;
  readonly requests: number;
  readonly hasLateKey: boolean;
}

function readWhole(bytes: Buffer, { endsAtLateKey }: { readonly endsAtLateKey: boolean }): Reading {
  let at = 0;
  let [ready, requests] = [0, 0];
  let status = 'active';
  while (bytes.length - at >= 5) {
    const type = String.fromCharCode(bytes[at]!);
    const length = bytes.readInt32BE(at + 1);
    if ('QSF'.includes(type)) requests++;
    if (!ASYNCHRONOUS.includes(type)) status = 'active';
    const hasLateKey = endsAtLateKey && type === 'K' && ready > 0;
    // A length that cannot be, or a key of the upstream's: nothing after it means anything any more.
    if (length < 4 || hasLateKey) {
      if (type === 'Z') ready++;
      return { atBoundary: false, status: 'active', ready, requests, hasLateKey };
    }
    const end = at + 1 + length;
    if (end > bytes.length) break;
    if (type === 'Z') {
      ready++;
      status = length === 4 ? 'active' : (STATUS[String.fromCharCode(bytes[end - 1]!)] ?? 'active');
    }
    at = end;
  }
  const atBoundary = at === bytes.length;
  return { atBoundary, status: atBoundary ? status : 'active', ready, requests, hasLateKey: false };
}

/** Uncut. */
function seed(...messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0]), ...messages]);
}
