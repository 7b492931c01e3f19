// The frontend/backend protocol as the tests write and read it: encoded here anew from PostgreSQL's documentation
// (Message Formats), so that a mistake of src/protocol is not made twice.

/** Request codes: semantics §1.1. */
export const SSL_REQUEST_CODE = 80877103;
export const GSSENC_REQUEST_CODE = 80877104;
export const CANCEL_REQUEST_CODE = 80877102;

/** A protocol version as it stands on the wire. */
export function protocolVersion(major: number, minor: number): number {
  return major * 65536 + minor;
}

export const PROTOCOL_3_0 = protocolVersion(3, 0);
export const PROTOCOL_3_2 = protocolVersion(3, 2);

/** One message with its type byte. */
export interface Message {
  readonly type: string;
  /** Without type and length. */
  readonly body: Buffer;
}

/** A name or value in a message: text goes as UTF-8, bytes as they are. */
export type Text = string | Uint8Array;

// -- Frontend -----------------------------------------------------------------------------------------------

/** An Int32 length that counts itself, then the body: a packet without type, as they open a connection. */
export function packet(body: Uint8Array): Buffer {
  return Buffer.concat([int32(body.length + 4), body]);
}

/** A typed message. */
export function message(type: string, ...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from(type, 'latin1'), packet(Buffer.concat(parts))]);
}

export function sslRequest(): Buffer {
  return packet(int32(SSL_REQUEST_CODE));
}

export function gssencRequest(): Buffer {
  return packet(int32(GSSENC_REQUEST_CODE));
}

export function cancelRequest(pid: number, key: Uint8Array): Buffer {
  return packet(Buffer.concat([int32(CANCEL_REQUEST_CODE), int32(pid), key]));
}

/** Pairs keep their order and may repeat a name. */
export type Parameters = Readonly<Record<string, Text>> | readonly (readonly [Text, Text])[];

export function startupMessage(parameters: Parameters, version = PROTOCOL_3_0): Buffer {
  const pairs = Symbol.iterator in parameters ? [...parameters] : Object.entries(parameters);
  const body = pairs.flatMap(([name, value]) => [cstring(name), cstring(value)]);
  return packet(Buffer.concat([int32(version), ...body, Buffer.from([0])]));
}

export function passwordMessage(password: Text): Buffer {
  return message('p', cstring(password));
}

export function query(sql: Text): Buffer {
  return message('Q', cstring(sql));
}

export function terminate(): Buffer {
  return message('X');
}

// -- Backend ------------------------------------------------------------------------------------------------

export function authenticationOk(): Buffer {
  return message('R', int32(0));
}

export function authenticationCleartextPassword(): Buffer {
  return message('R', int32(3));
}

export function authenticationMd5Password(salt: Uint8Array = Buffer.from([1, 2, 3, 4])): Buffer {
  return message('R', int32(5), salt);
}

export function authenticationSasl(mechanisms: readonly string[] = ['SCRAM-SHA-256']): Buffer {
  return message('R', int32(10), ...mechanisms.map(cstring), Buffer.from([0]));
}

/** Any other Authentication message, by its code. */
export function authentication(code: number, data: Uint8Array = Buffer.alloc(0)): Buffer {
  return message('R', int32(code), data);
}

export function parameterStatus(name: Text, value: Text): Buffer {
  return message('S', cstring(name), cstring(value));
}

export function backendKeyData(pid: number, key: Uint8Array): Buffer {
  return message('K', int32(pid), key);
}

export function readyForQuery(status: 'I' | 'T' | 'E' = 'I'): Buffer {
  return message('Z', Buffer.from(status, 'latin1'));
}

/** Fields by their one-letter names: `{ S: 'FATAL', V: 'FATAL', C: '28000', M: '…' }`. */
export function errorResponse(fields: Readonly<Record<string, Text>>): Buffer {
  return message('E', ...fieldList(fields));
}

export function noticeResponse(fields: Readonly<Record<string, Text>>): Buffer {
  return message('N', ...fieldList(fields));
}

export function negotiateProtocolVersion(newest: number, options: readonly string[] = []): Buffer {
  return message('v', int32(newest), int32(options.length), ...options.map(cstring));
}

/** The answer to `select` with one column of text. */
export function oneColumnResult(column: string, values: readonly string[]): Buffer {
  const description = Buffer.concat([
    int16(1),
    cstring(column),
    int32(0),
    int16(0),
    int32(25),
    int16(-1),
    int32(-1),
    int16(0),
  ]);
  const rows = values.map((value) => {
    const bytes = Buffer.from(value);
    return message('D', int16(1), int32(bytes.length), bytes);
  });
  return Buffer.concat([
    message('T', description),
    ...rows,
    message('C', cstring(`SELECT ${values.length}`)),
  ]);
}

// -- Reading ------------------------------------------------------------------------------------------------

/** The fields of an ErrorResponse or NoticeResponse as text (UTF-8), by their one-letter names. */
export function decodeErrorResponse({ type, body }: Message): Record<string, string> {
  expectType(type, 'EN');
  const fields: Record<string, string> = {};
  let at = 0;
  while (at < body.length && body[at] !== 0) {
    const end = body.indexOf(0, at + 1);
    if (end === -1) throw new Error('an ErrorResponse field without terminator');
    fields[String.fromCharCode(body[at]!)] = body.toString('utf8', at + 1, end);
    at = end + 1;
  }
  if (at !== body.length - 1) throw new Error('an ErrorResponse does not end with its terminator');
  return fields;
}

export function decodeNegotiateProtocolVersion({ type, body }: Message): {
  newest: number;
  options: string[];
} {
  expectType(type, 'v');
  const options = splitCstrings(body.subarray(8));
  if (options.length !== body.readInt32BE(4))
    throw new Error('NegotiateProtocolVersion miscounts its options');
  return { newest: body.readInt32BE(0), options };
}

export function decodeAuthentication({ type, body }: Message): { code: number; data: Buffer } {
  expectType(type, 'R');
  return { code: body.readInt32BE(0), data: body.subarray(4) };
}

export function decodeParameterStatus({ type, body }: Message): [name: string, value: string] {
  expectType(type, 'S');
  const [name, value] = splitCstrings(body);
  if (name === undefined || value === undefined) throw new Error('a ParameterStatus without its two strings');
  return [name, value];
}

export function decodeBackendKeyData({ type, body }: Message): { pid: number; key: Buffer } {
  expectType(type, 'K');
  return { pid: body.readInt32BE(0), key: body.subarray(4) };
}

export function decodeReadyForQuery({ type, body }: Message): string {
  expectType(type, 'Z');
  return body.toString('latin1');
}

/** A StartupMessage's body, as an upstream reads it: version, then the pairs in their order. */
export function decodeStartup(body: Buffer): { version: number; pairs: [string, string][] } {
  const strings = splitCstrings(body.subarray(4, -1));
  const pairs: [string, string][] = [];
  for (let at = 0; at < strings.length; at += 2) pairs.push([strings[at]!, strings[at + 1] ?? '']);
  return { version: body.readInt32BE(0), pairs };
}

/** Every whole message in `bytes`. @throws Error when something is left over. */
export function decodeMessages(bytes: Buffer): Message[] {
  const messages: Message[] = [];
  let at = 0;
  while (at + 5 <= bytes.length) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (end > bytes.length) break;
    messages.push({ type: String.fromCharCode(bytes[at]!), body: bytes.subarray(at + 5, end) });
    at = end;
  }
  if (at !== bytes.length)
    throw new Error(`${bytes.length - at} bytes are not a whole message: ${bytes.toString('hex', at)}`);
  return messages;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function cstring(text: Text): Buffer {
  return Buffer.concat([typeof text === 'string' ? Buffer.from(text) : text, Buffer.from([0])]);
}

function fieldList(fields: Readonly<Record<string, Text>>): Buffer[] {
  const encoded = Object.entries(fields).flatMap(([name, value]) => [
    Buffer.from(name, 'latin1'),
    cstring(value),
  ]);
  return [...encoded, Buffer.from([0])];
}

function splitCstrings(bytes: Buffer): string[] {
  const strings: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0, at);
    if (end === -1) throw new Error('a string without terminator');
    strings.push(bytes.toString('utf8', at, end));
    at = end + 1;
  }
  return strings;
}

function expectType(type: string, allowed: string): void {
  if (!allowed.includes(type)) throw new Error(`expected a message of type ${allowed}, got ${type}`);
}
