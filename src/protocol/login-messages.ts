// The backend's messages during a login. Each is read before the client sees it. The upstream is not trusted to behave
// well: every length that the gate must hold is bounded, and a fault is an error, never a wait.

import { decodeAuthentication, type AuthenticationMessage } from './authentication.ts';
import { decodeBackendKeyData, type CancelKey } from './backend-key-data.ts';
import { decodeErrorResponse, type UpstreamError } from './error-response.ts';
import { backendMessage, MESSAGE_HEADER_LENGTH } from './message.ts';
import { checkReadyForQuery } from './ready-for-query.ts';
import { violation } from './violation.ts';

/**
 * The longest message that is held whole. A longer one is passed on as it comes, or refused where it decides.
 *
 * @internal for tests
 */
export const MAX_LOGIN_MESSAGE_LENGTH = 65_536;

/** Lengths are signed on the wire. */
const MAX_MESSAGE_LENGTH = 0x7fff_ffff;

/** What a message of the login means to the gate. */
export type LoginMessage =
  | AuthenticationMessage
  | ({ readonly kind: 'backend-key-data' } & CancelKey)
  | ({ readonly kind: 'error' } & UpstreamError)
  | { readonly kind: 'other' }
  | { readonly kind: 'ready-for-query' };

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
      return { kind: 'backend-key-data', ...decodeBackendKeyData(raw) };
    case backendMessage.errorResponse:
      return { kind: 'error', ...decodeErrorResponse(raw) };
    case backendMessage.noticeResponse:
    case backendMessage.parameterStatus:
      return { kind: 'other' };
    case backendMessage.readyForQuery:
      checkReadyForQuery(raw);
      return { kind: 'ready-for-query' };
    default:
      throw violation(`message type 0x${type.toString(16).padStart(2, '0')}`);
  }
}
