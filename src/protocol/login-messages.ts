// The backend's messages during a login. Each is read before the client sees it, with pg-protocol's parser where the
// gate has to know its content. The upstream is not trusted to behave well: every length that the gate must hold is
// bounded, and a fault is an error, never a wait.

import { Parser } from 'pg-protocol/dist/parser.js';
import { fromText, type ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import { authentication, backendMessage, MESSAGE_HEADER_LENGTH } from './codes.ts';

/** The longest message that is held whole. A longer one is passed on as it comes, or refused where it decides. */
export const MAX_LOGIN_MESSAGE_LENGTH = 65_536;

/** The length word of a password or of a GSSAPI token, at most (PG_MAX_AUTH_TOKEN_LENGTH). */
const MAX_AUTH_TOKEN_LENGTH = 65_535;

/** The length word of a SCRAM message, at most (PG_MAX_SASL_MESSAGE_LENGTH). */
const MAX_SCRAM_MESSAGE_LENGTH = 1_024;

/** What a message of the login means to the gate. */
export type LoginMessage =
  /** `code` is the Int32 of PostgreSQL's AuthRequest; `mechanisms` only with SASL. */
  | { readonly kind: 'authentication'; readonly code: number; readonly mechanisms: readonly string[] }
  | { readonly kind: 'backend-key-data'; readonly pid: number; readonly key: Buffer }
  | { readonly kind: 'error'; readonly sqlstate: string | null; readonly message: ByteString }
  | { readonly kind: 'other' }
  | { readonly kind: 'ready-for-query' };

/** What the client owes the upstream after an Authentication message. */
export interface AnswerRequest {
  /** As PostgreSQL names it where something else comes: `expected SASL response, got message type 81`. */
  readonly what: 'password' | 'SASL' | 'GSS';
  /** The length word of the answer, at most. */
  readonly maxLength: number;
}

/**
 * Says whether an Authentication message wants an answer. Only AuthenticationOk and the end of a SASL exchange want
 * none. A request that the gate does not know is answered like a password, and proves nothing.
 */
export function requestedAnswer(
  { code, mechanisms }: Extract<LoginMessage, { kind: 'authentication' }>,
  last: AnswerRequest | null,
): AnswerRequest | null {
  switch (code) {
    case authentication.ok:
    case authentication.saslFinal:
      return null;
    case authentication.sasl: {
      const isScram = mechanisms.every((name) => name.startsWith('SCRAM-'));
      return { what: 'SASL', maxLength: isScram ? MAX_SCRAM_MESSAGE_LENGTH : MAX_AUTH_TOKEN_LENGTH };
    }
    case authentication.saslContinue:
      return last ?? { what: 'SASL', maxLength: MAX_SCRAM_MESSAGE_LENGTH };
    case authentication.gss:
    case authentication.gssContinue:
    case authentication.sspi:
      return { what: 'GSS', maxLength: MAX_AUTH_TOKEN_LENGTH };
    default:
      return { what: 'password', maxLength: MAX_AUTH_TOKEN_LENGTH };
  }
}

/** A piece of the upstream's stream that may be judged and passed on: a whole message, or a part of a long one. */
export interface LoginPart {
  /** Header included where the part begins a message. Valid until the next `push`. */
  readonly bytes: Buffer;
  readonly begins: boolean;
  readonly ends: boolean;
}

/**
 * Cuts the upstream's stream into whole messages, and a message that is too long to hold into parts. Holds at most
 * MAX_LOGIN_MESSAGE_LENGTH bytes beside what was pushed last.
 */
export class LoginMessages {
  #buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** Bytes that are still to come of a message whose beginning was given out as a part. */
  #owed = 0;

  /** Bytes of a message that is not complete yet, or that came after ReadyForQuery. */
  get rest(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Adds what arrived. The bytes are copied, so the caller may reuse its buffer. */
  push(chunk: Uint8Array): void {
    const length = this.#end - this.#start;
    if (length === 0) this.#start = this.#end = 0;
    if (this.#end + chunk.length > this.#buffer.length) {
      // Twice the need: a message that comes byte by byte must not be copied once for each byte.
      const larger = Buffer.allocUnsafe((length + chunk.length) * 2);
      this.rest.copy(larger);
      this.#buffer = larger;
      this.#start = 0;
      this.#end = length;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /**
   * Takes the next whole message or part; null when more bytes are needed.
   *
   * @throws GatehouseError `upstream-protocol-violation` for a length that no message has, and for a long message of a
   *   type that the gate has to read whole
   */
  next(): LoginPart | null {
    const available = this.#end - this.#start;
    if (this.#owed > 0) return available === 0 ? null : this.#take(Math.min(available, this.#owed), false);
    if (available < MESSAGE_HEADER_LENGTH) return null;
    const length = this.#buffer.readUInt32BE(this.#start + 1);
    const isLong = length > MAX_LOGIN_MESSAGE_LENGTH;
    if (length < 4 || length > MAX_MESSAGE_LENGTH || (isLong && !mayBeLong(this.#buffer[this.#start]))) {
      throw violation(`message length ${length}`);
    }
    const held = isLong ? MAX_LOGIN_MESSAGE_LENGTH : length + 1;
    if (available < held) return null;
    this.#owed = length + 1;
    return this.#take(held, true);
  }

  #take(length: number, begins: boolean): LoginPart {
    const bytes = this.#buffer.subarray(this.#start, this.#start + length);
    this.#start += length;
    this.#owed -= length;
    return { bytes, begins, ends: this.#owed === 0 };
  }
}

/** Lengths are signed on the wire. */
const MAX_MESSAGE_LENGTH = 0x7fff_ffff;

/** Types that decide nothing, and ErrorResponse, whose first fields are all that the gate reads. */
function mayBeLong(type: number | undefined): boolean {
  const { errorResponse, noticeResponse, parameterStatus } = backendMessage;
  return type === errorResponse || type === noticeResponse || type === parameterStatus;
}

/**
 * Reads one whole message of the login, or the first part of a long one.
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
 * one would never come back. Four NULs after it, too few to be read as another message, end every search.
 */
function parse(raw: Buffer): object | null {
  let parsed: object | null = null;
  const terminated = Buffer.concat([raw, Buffer.alloc(4)]);
  // Of a long message this is the first part, and the parser would wait for the others.
  terminated.writeInt32BE(raw.length - 1, 1);
  try {
    new Parser().parse(terminated, (message) => (parsed = message));
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
