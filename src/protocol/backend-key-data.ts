// BackendKeyData (`K`): what a client needs to cancel its session later.

import { encodeMessage, int32, MESSAGE_HEADER_LENGTH } from './message.ts';
import { violation } from './violation.ts';

/** The longest key there is, to send or to get: PostgreSQL 18's limit (semantics §1.11). */
export const MAX_CANCEL_KEY_LENGTH = 256;

/** Bytes of a key of the gate's own, by the minor version of the client's protocol (semantics §1.15). */
export function cancelKeyLength(minorVersion: number): number {
  return minorVersion >= 2 ? 32 : 4;
}

/** What BackendKeyData gives a session, and a CancelRequest gives back. */
export interface CancelKey {
  readonly pid: number;
  /** Four bytes, or 32 from protocol 3.2 on. */
  readonly key: Buffer;
}

/**
 * Reads one whole message. The key is copied, so the caller may reuse its buffer.
 *
 * @throws GatehouseError `upstream-protocol-violation` where its key is shorter than four bytes or longer than any
 */
export function decodeBackendKeyData(raw: Buffer): CancelKey {
  const body = raw.subarray(MESSAGE_HEADER_LENGTH);
  if (body.length < 8) throw violation('a short BackendKeyData');
  if (body.length > 4 + MAX_CANCEL_KEY_LENGTH) throw violation('a long BackendKeyData');
  return { pid: body.readInt32BE(), key: Buffer.from(body.subarray(4)) };
}

export function encodeBackendKeyData({ pid, key }: CancelKey): Buffer {
  return encodeMessage('K', Buffer.concat([int32(pid), key]));
}
