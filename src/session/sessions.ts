// The sessions that a rule has admitted, until they end: found by their cancel keys, listed and terminated by the admin
// listener.

import { randomBytes } from 'node:crypto';
import { toText, type ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import type { BackendStatus } from '../protocol/message-boundary.ts';
import type { Facts, HbaRecord } from '../rules/types.ts';
import type { TlsSession } from '../tls/types.ts';
import { CancelKeys } from './cancel-keys.ts';
import type { CancelTarget } from './cancel.ts';
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
  /** The upstream's process, once its BackendKeyData has named it; a console's own number. */
  pid: number | null;
  /** What cancels its query: the upstream's own key, which no client sees. Null until there is one. */
  cancelTarget: CancelTarget | null;
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
  | {
      readonly kind: 'no-longer-admitted';
      readonly reason: string;
      /** The line that refuses it; null where none does: no line matches, or its certificate does not verify. */
      readonly line: { readonly file: string; readonly line: number } | null;
    }
  /** Nobody can say, for this reason; it goes on. */
  | { readonly kind: 'not-judged'; readonly reason: string };

/** What a cancel request has found. `target` is null for a console: its statement has ended already. */
export interface KeyUse {
  readonly target: CancelTarget | null;
}

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
    pid: null,
    cancelTarget: null,
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

/** Which sessions are meant; what is absent does not matter. */
export interface SessionFilter {
  /** As GET /sessions shows it. */
  readonly user?: string;
  /** Only those that a reload would no longer admit. */
  readonly noLongerAdmitted?: true;
}

/** Whether a session is meant. A console is none of the sessions that are listed. */
export function fits({ console, user, judgement }: Session, which: SessionFilter): boolean {
  return (
    console === null &&
    (which.user === undefined || toText(user) === which.user) &&
    (which.noLongerAdmitted !== true || judgement.kind === 'no-longer-admitted')
  );
}

/** All sessions of this process. */
export class Sessions {
  readonly #byId = new Map<string, Session>();
  readonly #keys = new CancelKeys<Session>();
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
    // SECURITY: the key is gone with the session, however long its client takes to hang up (contract §7.29).
    this.#keys.revoke(session);
    if (wasThere && session.console === null && --this.#relayed === 0) this.#onEmpty?.();
    return wasThere;
  }

  /**
   * A key of the gate's own for the session; the one that it had is forgotten. Where it is not listed any more nobody
   * gets anything by the key.
   *
   * @param length in bytes
   */
  issueKey(session: Session, pid: number, length: number): Buffer {
    return this.#byId.get(session.id) === session
      ? this.#keys.issue(session, pid, length)
      : randomBytes(length);
  }

  /**
   * Carries out a cancel request as far as it can be done here: ends a console's statement, or says where the session's
   * backend is. Null = no session of this process has that key.
   *
   * SECURITY: only a key of a session that is listed here opens anything. A stranger could use the gate to guess the
   * upstream's keys otherwise.
   */
  useKey(pid: number, key: Buffer): KeyUse | null {
    const session = this.#keys.find(pid, key);
    if (session === null) return null;
    session.console?.cancel();
    return { target: session.cancelTarget };
  }

  /** Resolves when no session is left but consoles. */
  async empty(): Promise<void> {
    if (this.#relayed === 0) return;
    await new Promise<void>((resolve) => (this.#onEmpty = resolve));
  }
}

/** Why a session ends that an administrator, a reload or the end of a drain ends, as PostgreSQL words it. */
export function terminatedByAdministrator(why: string): GatehouseError {
  return new GatehouseError('admin-terminated', {
    detail: why,
  });
}
