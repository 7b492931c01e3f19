// A connection's first packets: reads one at a time and says what it is. Everything here may come from anybody, so
// every length is checked before a byte more is read (semantics §1.1 to §1.12).

import { GatehouseError } from '../base/errors.ts';
import type { CancelKey } from '../protocol/backend-key-data.ts';
import { CANCEL_REQUEST_CODE, decodeCancelRequest } from '../protocol/cancel-request.ts';
import {
  NEGOTIATE_GSS_CODE,
  NEGOTIATE_SSL_CODE,
  TLS_HANDSHAKE_RECORD,
} from '../protocol/encryption-request.ts';
import { MAX_STARTUP_PACKET_LENGTH, MIN_STARTUP_PACKET_LENGTH } from '../protocol/startup-message.ts';
import { errorWords } from '../tls/material/load-problem.ts';
import type { ByteReader } from '../base/byte-reader.ts';

/** What the client opens with. `startup` is every other code: startup.ts judges the version. */
export type Opening =
  | { readonly kind: 'ssl-request' }
  | { readonly kind: 'gss-request' }
  | ({ readonly kind: 'cancel' } & CancelKey)
  | { readonly kind: 'startup'; readonly code: number; readonly body: Buffer };

/** What a connection may still ask for: TLS and GSSAPI once each (semantics §1.7). */
export interface OpeningState {
  sslDone: boolean;
  gssDone: boolean;
}

/**
 * Waits for the connection's first byte and tells direct TLS from everything else. Takes no byte.
 *
 * @throws GatehouseError `no-startup-packet`, or the signal's reason
 */
export async function beginsWithTls(reader: ByteReader): Promise<boolean> {
  const [first] = await reader.peek(1);
  if (first === undefined) throw new GatehouseError('no-startup-packet');
  return first === TLS_HANDSHAKE_RECORD;
}

/**
 * Reads one packet of the opening, and notes in `state` that an encryption was asked for. A second request of
 * the same kind is a `startup` with an impossible version, as in PostgreSQL.
 *
 * @throws GatehouseError where PostgreSQL closes without a reply, or the signal's reason
 */
export async function readOpening(reader: ByteReader, state: OpeningState): Promise<Opening> {
  const lengthWord = await reader.read(4);
  if (lengthWord.length < 4) {
    // PostgreSQL complains of a part only where nothing was asked for before it (semantics §1.3).
    const isComplaint = lengthWord.length > 0 && !state.sslDone && !state.gssDone;
    throw brokenRecord(reader) ?? (isComplaint ? incomplete() : new GatehouseError('no-startup-packet'));
  }
  // Unsigned on the wire; a length with its top bit set is too large either way.
  const length = lengthWord.readUInt32BE();
  if (length < MIN_STARTUP_PACKET_LENGTH || length > MAX_STARTUP_PACKET_LENGTH) {
    throw new GatehouseError('invalid-startup-packet-length', {
      message: 'invalid length of startup packet',
    });
  }
  const packet = await reader.read(length - 4);
  if (packet.length < length - 4) throw brokenRecord(reader) ?? incomplete();
  const code = packet.readInt32BE();
  const body = packet.subarray(4);
  if (code === CANCEL_REQUEST_CODE) return { kind: 'cancel', ...decodeCancelRequest(body) };
  if (code === NEGOTIATE_SSL_CODE && !state.sslDone) {
    state.sslDone = true;
    return { kind: 'ssl-request' };
  }
  if (code === NEGOTIATE_GSS_CODE && !state.gssDone) {
    state.gssDone = true;
    return { kind: 'gss-request' };
  }
  return { kind: 'startup', code, body };
}

/**
 * SECURITY: bytes after a request that was answered `N` were sent before the client could know the answer, perhaps by
 * somebody in between (CVE-2021-23214). They are never read as the client's own.
 *
 * @throws GatehouseError `plaintext-after-ssl-request` or `plaintext-after-gss-request`
 */
export function refuseSurplus(reader: ByteReader, kind: 'ssl-request' | 'gss-request'): void {
  if (reader.surplus === 0) return;
  const code = kind === 'ssl-request' ? 'plaintext-after-ssl-request' : 'plaintext-after-gss-request';
  throw new GatehouseError(code, {
    replyDetail:
      'This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.',
  });
}

function incomplete(): GatehouseError {
  return new GatehouseError('incomplete-startup-packet', { message: 'incomplete startup packet' });
}

/** A record that TLS refuses, as somebody in between would forge it; null where the client has just left. */
function brokenRecord({ error }: ByteReader): GatehouseError | null {
  const isTls = error !== null && 'code' in error && String(error.code).startsWith('ERR_SSL_');
  if (!isTls) return null;
  return new GatehouseError('tls-handshake-failed', {
    message: `SSL error: ${errorWords(error, 'unrecognized SSL error')}`,
    cause: error,
  });
}
