// What the gate itself says to a client, byte for byte as PostgreSQL would.

import { fromBytes, toBytes, type ByteString } from '../base/bytestring.ts';
import { MESSAGE_HEADER_LENGTH, NEGOTIATE_SSL_CODE, PROTOCOL_3_0 } from './codes.ts';

/** One-byte answers to SSLRequest and GSSENCRequest. */
export const ACCEPT_SSL = Buffer.from('S');
export const REFUSE_ENCRYPTION = Buffer.from('N');

/** Fields of an ErrorResponse; the texts are byte strings. */
export interface ErrorFields {
  readonly sqlstate: string;
  readonly message: ByteString;
  readonly detail?: ByteString | null;
  readonly hint?: ByteString | null;
}

/** ErrorResponse of severity FATAL with the fields S, V, C, M and, where given, D and H. */
export function encodeFatal(fields: ErrorFields): Buffer {
  const text = [
    'SFATAL',
    'VFATAL',
    `C${fields.sqlstate}`,
    `M${fields.message}`,
    ...(fields.detail ? [`D${fields.detail}`] : []),
    ...(fields.hint ? [`H${fields.hint}`] : []),
  ].join('\0');
  return encodeMessage('E', `${text}\0\0`);
}

/** The error as a client of protocol 1 or 2 reads it: `E`, text, newline, NUL, and no length. */
export function encodeFatalProtocol2(message: ByteString): Buffer {
  return toBytes(`EFATAL:  ${message}\n\0`);
}

/**
 * NegotiateProtocolVersion: the newest minor version spoken here (3.0) and the `_pq_.` options that were asked
 * for and are not understood (all of them).
 */
export function encodeNegotiateProtocolVersion(options: readonly ByteString[]): Buffer {
  const numbers = Buffer.alloc(8);
  numbers.writeInt32BE(PROTOCOL_3_0, 0);
  numbers.writeInt32BE(options.length, 4);
  return encodeMessage('v', fromBytes(numbers) + options.map((name) => `${name}\0`).join(''));
}

/** CancelRequest as it goes to the upstream: the key exactly as the client gave it. */
export function encodeCancelRequest(code: number, pid: number, key: Uint8Array): Buffer {
  const packet = Buffer.alloc(12 + key.length);
  packet.writeInt32BE(packet.length, 0);
  packet.writeInt32BE(code, 4);
  packet.writeInt32BE(pid, 8);
  packet.set(key, 12);
  return packet;
}

/** SSLRequest as the gate itself asks the upstream. */
export function encodeSslRequest(): Buffer {
  const packet = Buffer.alloc(8);
  packet.writeInt32BE(packet.length, 0);
  packet.writeInt32BE(NEGOTIATE_SSL_CODE, 4);
  return packet;
}

function encodeMessage(type: string, body: ByteString): Buffer {
  const message = Buffer.alloc(MESSAGE_HEADER_LENGTH + body.length);
  message.write(type, 0, 'latin1');
  message.writeInt32BE(message.length - 1, 1);
  message.write(body, MESSAGE_HEADER_LENGTH, 'latin1');
  return message;
}
