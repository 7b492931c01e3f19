// The backend's messages during a login: cut from the stream whole, then read with pg-protocol's parser. The
// upstream is not trusted to be well behaved: every length is bounded and a fault is an error, never a wait.

import { Parser } from 'pg-protocol/dist/parser.js';
import { fromText, type ByteString } from '../bytestring.ts';
import { GatehouseError } from '../errors.ts';
import { authentication, backendMessage, MESSAGE_HEADER_LENGTH } from './codes.ts';

/** Longest message that a login may hold; libpq's own limit for an error is 30,000. */
export const MAX_LOGIN_MESSAGE_LENGTH = 65_536;

/** All that the upstream may send between the StartupMessage and ReadyForQuery. */
export const MAX_LOGIN_LENGTH = 1_048_576;

/** What a message of the login means to the gate. */
export type LoginMessage =
  /** `code` is the Int32 of PostgreSQL's AuthRequest; `mechanisms` only with SASL. */
  | { readonly kind: 'authentication'; readonly code: number; readonly mechanisms: readonly string[] }
  | { readonly kind: 'backend-key-data'; readonly pid: number; readonly key: Buffer }
  | { readonly kind: 'error'; readonly sqlstate: string | null; readonly message: ByteString }
  | { readonly kind: 'other' }
  | { readonly kind: 'ready-for-query' };

/** Cuts the upstream's stream into whole messages. */
export class LoginMessages {
  #pending = Buffer.alloc(0);
  #total = 0;

  /** Bytes of a message that is not complete yet, or that came behind ReadyForQuery. */
  get rest(): Buffer {
    return this.#pending;
  }

  /** Adds what arrived; the bytes are copied, so the caller may reuse its buffer. */
  push(chunk: Uint8Array): void {
    this.#total += chunk.length;
    if (this.#total > MAX_LOGIN_LENGTH) throw violation('the login is longer than any PostgreSQL makes it');
    this.#pending = Buffer.concat([this.#pending, chunk]);
  }

  /**
   * Takes the next whole message, header included; null when more bytes are needed.
   *
   * @throws GatehouseError `upstream-protocol-violation`
   */
  next(): Buffer | null {
    if (this.#pending.length < MESSAGE_HEADER_LENGTH) return null;
    const length = this.#pending.readUInt32BE(1);
    if (length < 4 || length > MAX_LOGIN_MESSAGE_LENGTH) throw violation(`message length ${length}`);
    const end = length + 1;
    if (this.#pending.length < end) return null;
    const message = this.#pending.subarray(0, end);
    this.#pending = this.#pending.subarray(end);
    return message;
  }
}

/**
 * Reads one whole message of the login.
 *
 * @throws GatehouseError `upstream-protocol-violation` for a type or a form that no login has
 */
export function decodeLoginMessage(raw: Buffer): LoginMessage {
  const type = raw[0] ?? 0;
  switch (type) {
    case backendMessage.authentication:
      return decodeAuthentication(raw);
    case backendMessage.backendKeyData:
      if (raw.length < MESSAGE_HEADER_LENGTH + 8) throw violation('a short BackendKeyData');
      return { kind: 'backend-key-data', pid: raw.readInt32BE(5), key: Buffer.from(raw.subarray(9)) };
    case backendMessage.errorResponse: {
      const error = parse(raw);
      // An ErrorResponse without a message is read as one with an empty message.
      const message = error instanceof Error && typeof error.message === 'string' ? error.message : '';
      return { kind: 'error', sqlstate: sqlstateOf(error), message: fromText(message) };
    }
    case backendMessage.noticeResponse:
    case backendMessage.parameterStatus:
      return { kind: 'other' };
    case backendMessage.readyForQuery:
      if (raw.length !== MESSAGE_HEADER_LENGTH + 1) throw violation('a ReadyForQuery of the wrong length');
      return { kind: 'ready-for-query' };
    default:
      throw violation(`message type 0x${type.toString(16).padStart(2, '0')}`);
  }
}

/** SECURITY: the code itself is read here; the parser takes a malformed request for AuthenticationOk. */
function decodeAuthentication(raw: Buffer): LoginMessage {
  if (raw.length < MESSAGE_HEADER_LENGTH + 4) throw violation('a short Authentication message');
  const code = raw.readInt32BE(MESSAGE_HEADER_LENGTH);
  if (code === authentication.ok && raw.length !== MESSAGE_HEADER_LENGTH + 4) {
    throw violation('an AuthenticationOk of the wrong length');
  }
  if (code !== authentication.sasl) return { kind: 'authentication', code, mechanisms: [] };
  const parsed = parse(raw);
  const offered =
    parsed !== null && 'mechanisms' in parsed && Array.isArray(parsed.mechanisms) ? parsed.mechanisms : [];
  return { kind: 'authentication', code, mechanisms: offered.filter((name) => typeof name === 'string') };
}

/**
 * SECURITY: pg-protocol looks for the end of a string without looking at the end of the message, so an unterminated
 * one would never come back. Four NULs behind it, too few to be read as another message, end every search.
 */
function parse(raw: Buffer): object | null {
  let parsed: object | null = null;
  try {
    new Parser().parse(Buffer.concat([raw, Buffer.alloc(4)]), (message) => (parsed = message));
  } catch (cause) {
    throw violation('a malformed message', cause);
  }
  return parsed;
}

/** Five characters of the SQLSTATE alphabet, or null: it goes into a log line. */
function sqlstateOf(error: object | null): string | null {
  const code = error !== null && 'code' in error ? error.code : null;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

function violation(what: string, cause?: unknown): GatehouseError {
  return new GatehouseError('upstream-protocol-violation', {
    reply: 'the upstream server violated the protocol',
    message: `the upstream server violated the protocol: ${what}`,
    cause,
  });
}
