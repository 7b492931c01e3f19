// Where messages begin and end in a stream, by hopping from header to header without looking at any content. It lets
// the gate end a session with an ErrorResponse only where one may stand, tells idle sessions from working ones, and
// gives /sessions its `state` (contract §7.22 and §7.23).

import { backendMessage, MESSAGE_HEADER_LENGTH } from './message.ts';

/** A session's state, as pg_stat_activity.state words it. */
export type BackendStatus = 'idle' | 'idle in transaction' | 'idle in transaction (aborted)' | 'active';

/** Follows one direction of a session. Feed it every byte of that direction, in order. */
abstract class MessageStream {
  /** Bytes of the current message's body still to come; 0 = a header is next. */
  #remaining = 0;
  /** Bytes seen of a header that a chunk has cut. */
  #headerSeen = 0;
  #type = 0;
  #length = 0;
  /** The stream is not PostgreSQL's protocol. It is never at a boundary again. */
  #lost = false;

  /** True when all bytes so far are whole messages. */
  get atBoundary(): boolean {
    return this.#remaining === 0 && this.#headerSeen === 0 && !this.#lost;
  }

  /** What comes from here on is not a message, or none that may follow. */
  protected lose(): void {
    this.#lost = true;
  }

  /** Takes the next `length` bytes of the stream, which begin at `buffer[0]`. */
  push(buffer: Uint8Array, length: number): void {
    let at = 0;
    while (at < length && !this.#lost) {
      if (this.#remaining > length - at) {
        this.#remaining -= length - at;
        return;
      }
      if (this.#remaining > 0) {
        at += this.#remaining;
        this.#remaining = 0;
        this.ended(this.#type, buffer[at - 1]!);
      } else if (this.#headerSeen === 0 && length - at >= MESSAGE_HEADER_LENGTH) {
        // The common case, a header in one piece, without a step per byte.
        this.#type = buffer[at]!;
        this.#length =
          (buffer[at + 1]! << 24) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 8) | buffer[at + 4]!;
        at += MESSAGE_HEADER_LENGTH;
        this.#beginBody();
      } else {
        const byte = buffer[at++]!;
        if (this.#headerSeen === 0) this.#type = byte;
        else this.#length = (this.#length << 8) | byte;
        if (++this.#headerSeen === MESSAGE_HEADER_LENGTH) {
          this.#headerSeen = 0;
          this.#beginBody();
        }
      }
    }
  }

  #beginBody(): void {
    // The length counts itself; a negative one is a stream that is lost.
    this.#remaining = this.#length - 4;
    this.#length = 0;
    if (this.#remaining < 0) {
      this.#remaining = 0;
      this.#lost = true;
    }
    this.began(this.#type);
    if (this.#remaining === 0) this.ended(this.#type, 0);
  }

  /** A header is complete. */
  protected abstract began(type: number): void;

  /** A message is complete; `lastByte` is its body's last, 0 for an empty body. */
  protected abstract ended(type: number, lastByte: number): void;
}

/** The stream towards the client. */
export class BackendStream extends MessageStream {
  /** ReadyForQuery messages so far. */
  ready = 0;
  /** A BackendKeyData has begun after the login. */
  hasLateKey = false;
  /** Status byte of the last ReadyForQuery while nothing but asynchronous messages has followed it, else 0. */
  #status = 0;

  protected override began(type: number): void {
    if (!isAsynchronous(type)) this.#status = 0;
    // SECURITY: no server sends a key after the login. The relay passes nothing on that comes from here on, because the
    // client would get the upstream's own key.
    if (type !== backendMessage.backendKeyData || this.ready === 0) return;
    this.hasLateKey = true;
    this.lose();
  }

  protected override ended(type: number, lastByte: number): void {
    if (type !== backendMessage.readyForQuery) return;
    this.ready++;
    this.#status = lastByte;
  }

  /** `active` unless the last thing that the backend said is that it is ready. */
  get status(): BackendStatus {
    if (!this.atBoundary) return 'active';
    switch (this.#status) {
      case 0x49: // I
        return 'idle';
      case 0x54: // T
        return 'idle in transaction';
      case 0x45: // E
        return 'idle in transaction (aborted)';
      default:
        return 'active';
    }
  }
}

/** The stream towards the upstream: counts the messages that a ReadyForQuery answers. */
export class FrontendStream extends MessageStream {
  /** Query, Sync and FunctionCall messages so far. */
  requests = 0;
  /** An extended query has begun and no Sync has followed yet: the backend works, and says nothing of being ready. */
  isWithoutSync = false;

  protected override began(type: number): void {
    switch (type) {
      // Query, Sync, FunctionCall. In a COPY the backend ignores Sync, so the count can be too high, and then the
      // session passes for a busy one: the safe side.
      case 0x51:
      case 0x53:
      case 0x46:
        this.requests++;
        this.isWithoutSync = false;
        break;
      // Parse, Bind, Describe, Execute, Close, Flush.
      case 0x50:
      case 0x42:
      case 0x44:
      case 0x45:
      case 0x43:
      case 0x48:
        this.isWithoutSync = true;
        break;
      default:
    }
  }

  protected override ended(): void {}
}

/** NoticeResponse, NotificationResponse and ParameterStatus may come at any time, to an idle session too. */
function isAsynchronous(type: number): boolean {
  const { noticeResponse, notificationResponse, parameterStatus } = backendMessage;
  return type === noticeResponse || type === notificationResponse || type === parameterStatus;
}
