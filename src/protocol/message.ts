// A backend message: type byte, Int32 length that counts itself, body.

import { toBytes, type ByteString } from '../base/bytestring.ts';
import { MESSAGE_HEADER_LENGTH } from './codes.ts';

/**
 * One whole message.
 *
 * @param type a single ASCII character
 */
export function encodeMessage(type: string, body: ByteString | Buffer = ''): Buffer {
  const bytes = typeof body === 'string' ? toBytes(body) : body;
  const message = Buffer.alloc(MESSAGE_HEADER_LENGTH + bytes.length);
  message.write(type, 0, 'latin1');
  message.writeInt32BE(message.length - 1, 1);
  bytes.copy(message, MESSAGE_HEADER_LENGTH);
  return message;
}

/** An Int16 in network order. */
export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

/** An Int32 in network order. */
export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
