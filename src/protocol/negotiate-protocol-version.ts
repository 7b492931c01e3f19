// NegotiateProtocolVersion (`v`): the answer to a StartupMessage that asks for more than the server understands.

import { toBytes, type ByteString } from '../base/bytestring.ts';
import { encodeMessage, int32 } from './message.ts';
import { NEWEST_MINOR_VERSION, PROTOCOL_3_0 } from './startup-message.ts';

/**
 * Names the version that is spoken from here on and every `_pq_.` option that was asked for: the gate understands none
 * of them. The version is the one that was asked for, at most 3.2, as PostgreSQL 18 answers it.
 *
 * @param minorVersion as asked for
 */
export function encodeNegotiateProtocolVersion(minorVersion: number, options: readonly ByteString[]): Buffer {
  const spoken = PROTOCOL_3_0 | Math.min(minorVersion, NEWEST_MINOR_VERSION);
  const names = toBytes(options.map((name) => `${name}\0`).join(''));
  return encodeMessage('v', Buffer.concat([int32(spoken), int32(options.length), names]));
}
