// What every message has in common: a type byte, an Int32 length that counts itself, a body. The packets that open a
// connection have no type byte, and each stands in a file of its own beside this one.

import { toBytes, type ByteString } from '../base/bytestring.ts';

/** Bytes of a message's header: type byte and Int32 length, which counts itself and not the type. */
export const MESSAGE_HEADER_LENGTH = 5;

/** Type bytes of the backend messages that the gate looks at. */
export const backendMessage = {
  authentication: 0x52, // R
  backendKeyData: 0x4b, // K
  errorResponse: 0x45, // E
  noticeResponse: 0x4e, // N
  notificationResponse: 0x41, // A
  parameterStatus: 0x53, // S
  readyForQuery: 0x5a, // Z
} as const;

/** Type byte of the frontend messages that answer a request for a password, SASL and GSSAPI included. */
export const frontendMessage = {
  password: 0x70, // p
} as const;

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

/**
 * One packet without a type byte, as they open a connection.
 *
 * @param code the Int32 after the length word
 */
export function encodePacket(code: number, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const packet = Buffer.alloc(8 + body.length);
  packet.writeInt32BE(packet.length, 0);
  packet.writeInt32BE(code, 4);
  packet.set(body, 8);
  return packet;
}

/** An Int16 in network order. */
export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

/** A count of up to 65,535 in network order. */
export function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** An Int32 in network order. */
export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
