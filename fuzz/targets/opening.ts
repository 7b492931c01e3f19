// The first packets, SSLRequest, GSSENCRequest and CancelRequest among them, in pieces of any size: read as they would
// be from one piece, and what was not asked for is still there afterwards.

import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { GatehouseError } from '../../src/base/errors.ts';
import { ByteReader } from '../../src/base/byte-reader.ts';
import { beginsWithTls, readOpening, type Opening } from '../../src/session/opening.ts';
import {
  CANCEL_REQUEST_CODE,
  cancelRequest,
  GSSENC_REQUEST_CODE,
  gssencRequest,
  SSL_REQUEST_CODE,
  sslRequest,
  startupMessage,
} from '../../test/support/peers/messages.ts';
import { Draws, pieces } from '../draws.ts';
import { invariant, type Target } from '../target.ts';

const STARTUP = startupMessage({ user: 'alice', database: 'app' });

export function openingTarget(): Target {
  return {
    maxLength: 12_000,
    limitMs: 500,
    seeds: [
      seed(STARTUP),
      seed(sslRequest(), STARTUP),
      seed(gssencRequest(), sslRequest(), STARTUP),
      seed(sslRequest(), sslRequest(), STARTUP),
      seed(cancelRequest(1, Buffer.alloc(4))),
      seed(gssencRequest(), cancelRequest(1, Buffer.alloc(256))),
      seed(Buffer.from([0x16, 3, 1, 0, 1, 0])),
      seed(startupMessage({ user: 'a'.repeat(9_980) })),
    ],
    dictionary: [sslRequest(), gssencRequest(), cancelRequest(1, Buffer.alloc(4)), STARTUP],
    run: async (input) => {
      const draws = new Draws(input);
      const pattern = draws.take(3);
      const bytes = draws.rest();
      const { openings, left } = await readAll(bytes, pattern);
      const expected = expectedOpenings(bytes);
      const [got, wanted] = [describe(openings), describe(expected.openings)];
      invariant(got === wanted, () => `read ${got}, there was ${wanted}`);
      invariant(
        left.equals(bytes.subarray(expected.taken)),
        'what was not asked for is not all there any more',
      );
    },
  };
}

type Outcome = Opening | { readonly kind: 'tls' } | { readonly kind: 'refused'; readonly code: string };

/** What the product reads, and what it leaves in the stream. */
async function readAll(bytes: Buffer, pattern: Uint8Array): Promise<{ openings: Outcome[]; left: Buffer }> {
  const socket = socketOf(pieces(bytes, pattern));
  const reader = new ByteReader(socket, new AbortController().signal);
  const state = { sslDone: false, gssDone: false };
  const openings: Outcome[] = [];
  try {
    if (await beginsWithTls(reader)) openings.push({ kind: 'tls' });
    while (!isLast(openings.at(-1))) openings.push(await readOpening(reader, state));
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
    openings.push({ kind: 'refused', code: error.code });
  }
  reader.release();
  const left: Buffer[] = [];
  for await (const chunk of socket) left.push(chunk);
  return { openings, left: Buffer.concat(left) };
}

function isLast(opening: Outcome | undefined): boolean {
  return opening !== undefined && opening.kind !== 'ssl-request' && opening.kind !== 'gss-request';
}

/** A peer that sends these pieces, each in an event of its own, and closes. */
function socketOf(chunks: Buffer[]): Socket {
  const stream = new Duplex({
    read: () => {
      const chunk = chunks.shift();
      if (chunk === undefined) stream.push(null);
      else setImmediate(() => stream.push(Buffer.from(chunk)));
    },
    write: (_chunk, _encoding, done) => done(),
    autoDestroy: false,
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the reader uses nothing that a Duplex has not
  return stream as unknown as Socket;
}

/** The same from semantics §1.1 to §1.11 anew, on bytes that are all there. */
function expectedOpenings(bytes: Buffer): { openings: Outcome[]; taken: number } {
  const openings: Outcome[] = [];
  const asked = new Set<number>();
  let at = 0;
  const refuse = (code: string, taken: number) => ({
    openings: [...openings, { kind: 'refused', code } as const],
    taken,
  });
  if (bytes[0] === 0x16) return { openings: [{ kind: 'tls' }], taken: 0 };
  for (;;) {
    const left = bytes.length - at;
    if (left === 0) return refuse('no-startup-packet', at);
    if (left < 4)
      return refuse(asked.size === 0 ? 'incomplete-startup-packet' : 'no-startup-packet', bytes.length);
    const length = bytes.readUInt32BE(at);
    if (length < 8 || length > 10_004) return refuse('invalid-startup-packet-length', at + 4);
    if (left < length) return refuse('incomplete-startup-packet', bytes.length);
    const packet = bytes.subarray(at + 4, at + length);
    at += length;
    const code = packet.readInt32BE();
    if (code === CANCEL_REQUEST_CODE) {
      if (length < 13 || length > 12 + 256) return refuse('invalid-cancel-request', at);
      openings.push({ kind: 'cancel', pid: packet.readInt32BE(4), key: packet.subarray(8) });
      return { openings, taken: at };
    }
    if ((code === SSL_REQUEST_CODE || code === GSSENC_REQUEST_CODE) && !asked.has(code)) {
      asked.add(code);
      openings.push({ kind: code === SSL_REQUEST_CODE ? 'ssl-request' : 'gss-request' });
      continue;
    }
    openings.push({ kind: 'startup', code, body: packet.subarray(4) });
    return { openings, taken: at };
  }
}

function describe(openings: readonly Outcome[]): string {
  return JSON.stringify(openings, (_, value: unknown) =>
    Buffer.isBuffer(value) ? value.toString('hex') : value,
  );
}

/** Uncut. */
function seed(...packets: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0]), ...packets]);
}
