// The sessions that a rule has admitted, until they end: found by their cancel keys, listed and terminated by the admin
// listener.

import { timingSafeEqual } from 'node:crypto';
import type { ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import type { BackendStatus } from '../protocol/message-boundary.ts';
import type { Facts, HbaRecord } from '../rules/types.ts';
import type { TlsSession } from '../tls/types.ts';
import type { EndSignal } from './end-signal.ts';

/** One admitted session. */
export interface Session {
  readonly id: string;
  readonly user: ByteString;
  readonly database: ByteString;
  readonly applicationName: ByteString;
  readonly clientAddress: string;
  readonly clientPort: number;
  /** The load balancer that has declared the client; null where the client has connected itself. */
  readonly proxyAddress: string | null;
  readonly proxyPort: number | null;
  readonly startedAt: Date;
  /** What was decided on, for judging it again after a reload. */
  readonly facts: Facts;
  readonly record: HbaRecord;
  readonly tls: TlsSession | null;
  /** Set once the upstream has sent BackendKeyData. */
  cancelKey: { readonly pid: number; readonly key: Buffer } | null;
  /** Of a console: ends its statement. Null for a session that is relayed. */
  readonly console: { cancel: () => void } | null;
  /** `active` until the relay begins. */
  status: () => BackendStatus;
  /** Bytes from and to the client so far. */
  bytes: () => { readonly in: number; readonly out: number };
  /** What the last reload's rules, CA and lists say of it; `admitted` before the first. */
  judgement: SessionJudgement;
  /** Being ended by an administrator, a reload or the end of a drain. */
  terminating: boolean;
  /** Ends it with an error; the client is told where the protocol allows. */
  readonly end: (reason: GatehouseError) => void;
}

/** Whether a live session would be admitted by what a reload has brought, as far as that is certain. */
export type SessionJudgement =
  | { readonly kind: 'admitted' }
  | { readonly kind: 'no-longer-admitted'; readonly reason: string }
  /** Nobody can say, for this reason; it goes on. */
  | { readonly kind: 'not-judged'; readonly reason: string };

/** What a session is made from. */
export type SessionOptions = Pick<
  Session,
  | 'id'
  | 'user'
  | 'database'
  | 'applicationName'
  | 'clientAddress'
  | 'clientPort'
  | 'proxyAddress'
  | 'proxyPort'
  | 'facts'
  | 'record'
  | 'tls'
  | 'bytes'
  | 'console'
> & { readonly life: EndSignal };

/** A session that is not listed yet. */
export function createSession({ life, ...options }: SessionOptions): Session {
  const session: Session = {
    ...options,
    startedAt: new Date(),
    cancelKey: null,
    status: () => 'active',
    judgement: { kind: 'admitted' },
    terminating: false,
    end: (reason) => {
      session.terminating = true;
      life.end(reason);
    },
  };
  return session;
}

/** All sessions of this process. */
export class Sessions {
  readonly #byId = new Map<string, Session>();
  #relayed = 0;
  #onEmpty: (() => void) | null = null;

  /** The relayed ones; consoles are listed and do not count. */
  get size(): number {
    return this.#relayed;
  }

  get consoles(): number {
    return this.#byId.size - this.#relayed;
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#byId.values();
  }

  get(id: string): Session | undefined {
    return this.#byId.get(id);
  }

  /** Lists an admitted session. */
  add(session: Session): void {
    this.#byId.set(session.id, session);
    if (session.console === null) this.#relayed++;
  }

  /** Forgets a session; false = it was not there. */
  remove(session: Session): boolean {
    const wasThere = this.#byId.delete(session.id);
    if (wasThere && session.console === null && --this.#relayed === 0) this.#onEmpty?.();
    return wasThere;
  }

  /**
   * SECURITY: a cancel request goes on only with the key of a session that is relayed here. It searches all sessions:
   * requests are rare, and a table of keys would be one more thing to keep right.
   */
  hasCancelKey(pid: number, key: Buffer): boolean {
    const session = this.#withCancelKey(pid, key);
    return session !== undefined && session.console === null;
  }

  /** Ends the statement of the console with this key; false = there is none here. */
  cancelConsole(pid: number, key: Buffer): boolean {
    const console = this.#withCancelKey(pid, key)?.console ?? null;
    console?.cancel();
    return console !== null;
  }

  #withCancelKey(pid: number, key: Buffer): Session | undefined {
    for (const session of this.#byId.values()) {
      const { cancelKey } = session;
      if (cancelKey !== null && cancelKey.pid === pid && isSameKey(cancelKey.key, key)) return session;
    }
    return undefined;
  }

  /** Resolves when no session is left but consoles. */
  async empty(): Promise<void> {
    if (this.#relayed === 0) return;
    await new Promise<void>((resolve) => (this.#onEmpty = resolve));
  }
}

/**
 * SECURITY: takes the same time for every guess, as in PostgreSQL 18. Otherwise the time would tell how much of it is
 * right.
 */
function isSameKey(ours: Buffer, theirs: Buffer): boolean {
  return ours.length === theirs.length && timingSafeEqual(ours, theirs);
}

/** Why a session ends that an administrator, a reload or the end of a drain ends, as PostgreSQL words it. */
export function terminatedByAdministrator(why: string): GatehouseError {
  return new GatehouseError('admin-terminated', {
    detail: why,
  });
}
