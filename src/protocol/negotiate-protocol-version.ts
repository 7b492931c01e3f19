// NegotiateProtocolVersion (`v`): the answer to a StartupMessage that asks for more than the server understands.

import { toBytes, type ByteString } from '../base/bytestring.ts';
import { encodeMessage, int32 } from './message.ts';
import { PROTOCOL_3_0 } from './startup-message.ts';

/**
 * Names the newest version that the gate speaks, 3.0, and every `_pq_.` option that was asked for: the gate understands
 * none of them.
 */
export function encodeNegotiateProtocolVersion(options: readonly ByteString[]): Buffer {
  const names = toBytes(options.map((name) => `${name}\0`).join(''));
  return encodeMessage('v', Buffer.concat([int32(PROTOCOL_3_0), int32(options.length), names]));
}
