// CancelRequest: a packet that is the whole purpose of its connection. It names a session by the key that the session's
// BackendKeyData gave.

import { GatehouseError } from '../base/errors.ts';
import { MAX_CANCEL_KEY_LENGTH, type CancelKey } from './backend-key-data.ts';
import { encodePacket, int32 } from './message.ts';

/** The code that stands where a StartupMessage has its protocol version. */
export const CANCEL_REQUEST_CODE = (1234 << 16) | 5678;

/**
 * Reads what follows the code.
 *
 * @param body without length word and code
 * @throws GatehouseError `invalid-cancel-request` where the key has a length that no PostgreSQL sends
 */
export function decodeCancelRequest(body: Buffer): CancelKey {
  if (body.length < 4) throw invalid('invalid length of cancel request packet');
  const key = body.subarray(4);
  if (key.length === 0 || key.length > MAX_CANCEL_KEY_LENGTH) {
    throw invalid('invalid length of cancel key in cancel request packet');
  }
  return { pid: body.readInt32BE(), key };
}

/** The packet as the upstream gets it, with the key that it gave. */
export function encodeCancelRequest({ pid, key }: CancelKey): Buffer {
  return encodePacket(CANCEL_REQUEST_CODE, Buffer.concat([int32(pid), key]));
}

function invalid(message: string): GatehouseError {
  return new GatehouseError('invalid-cancel-request', { message });
}
