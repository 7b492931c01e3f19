// BackendKeyData (`K`): what a client needs to cancel its session later.

import { encodeMessage, int32, MESSAGE_HEADER_LENGTH } from './message.ts';
import { violation } from './violation.ts';

/** What BackendKeyData gives a session, and a CancelRequest gives back. */
export interface CancelKey {
  readonly pid: number;
  /** Four bytes, or 32 from protocol 3.2 on. */
  readonly key: Buffer;
}

/**
 * Reads one whole message. The key is copied, so the caller may reuse its buffer.
 *
 * @throws GatehouseError `upstream-protocol-violation` where it has no key of four bytes
 */
export function decodeBackendKeyData(raw: Buffer): CancelKey {
  const body = raw.subarray(MESSAGE_HEADER_LENGTH);
  if (body.length < 8) throw violation('a short BackendKeyData');
  return { pid: body.readInt32BE(), key: Buffer.from(body.subarray(4)) };
}

export function encodeBackendKeyData({ pid, key }: CancelKey): Buffer {
  return encodeMessage('K', Buffer.concat([int32(pid), key]));
}
