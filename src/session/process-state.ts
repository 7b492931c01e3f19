// What one process's connections share: the snapshot in force, the tables of connections and sessions, the log and the
// metrics. server/serving-process.ts makes it and hands it to every connection.

import type { SaltedPasswords } from '../auth/scram-keys.ts';
import type { Socket } from 'node:net';
import type { BackendStatus } from '../protocol/message-boundary.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { Logger } from '../telemetry/log.ts';
import type { RefusalRow } from '../telemetry/refusals.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Bans } from './bans.ts';
import type { CancelGuesses } from './cancel-guesses.ts';
import type { Dialer } from './dial.ts';
import type { IdentityMemory } from './identity-memory.ts';
import type { Quota } from './quota.ts';
import type { KeyUse, Session, Sessions } from './sessions.ts';
import type { Strangers } from './strangers.ts';
import type { UpstreamCatalog } from './upstream-catalog.ts';

/** What somebody at a console may do; it is asked for each statement, since a reload may change it. */
export type ConsoleRole = 'admin' | 'stats' | 'none';

/** Who is at a console. Texts are texts already. */
export interface ConsoleVisitor {
  readonly user: string;
  readonly database: string;
  /** pg_backend_pid(). */
  readonly pid: number;
  /** For BackendKeyData. */
  readonly key: Buffer;
  readonly role: () => ConsoleRole;
  /** In milliseconds; 0 = never. */
  readonly idleTimeoutMs: number;
  /** It has waited that long for a statement. */
  readonly onIdle: () => void;
  /** It changes something, in a few words for the log. */
  readonly onAction: (what: string) => void;
}

/** A console that is being served. */
export interface ConsoleService {
  /** Resolves when the client has left, or after `end`. Rejects with MessageFormatError for anything that is not the protocol. */
  readonly over: Promise<void>;
  readonly status: BackendStatus;
  /** Ends the statement that runs with 57014. */
  cancel(): void;
  /** Nothing more is sent; `over` resolves. */
  end(): void;
}

export interface ProcessState {
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Keeps the closing line of a connection that was refused or has failed. */
  readonly refused: (row: RefusalRow) => void;
  readonly strangers: Strangers;
  readonly sessions: Sessions;
  /**
   * Lists an admitted session. SECURITY: where the state that decided is no longer in force, the reload has not seen
   * the session, so the new state judges it now.
   *
   * @param decidedBy the state that the decision was made by; null = one that nothing holds any more
   */
  readonly enlist: (session: Session, decidedBy: Snapshot | null) => void;
  /** Every connection to the upstream begins there. */
  readonly dialer: Dialer;
  /** Counts the sessions of all workers. */
  readonly quota: Quota;
  /** Counts failed authentications of all workers, and knows whom they refuse. */
  readonly bans: Bans;
  /** Salted passwords that were computed already, so that a login costs a few HMACs. */
  readonly salted: SaltedPasswords;
  /** Whether the upstream takes the gate's own settings. */
  readonly identityMemory: IdentityMemory;
  /** Unknown cancel keys, by the addresses that have sent them. */
  readonly cancelGuesses: CancelGuesses;
  /**
   * Looks for the session with this key in this process and the other workers, and ends the statement of a console.
   * Null = there is none.
   */
  readonly useKey: (pid: number, key: Buffer) => Promise<KeyUse | null>;
  /** Loads the console where this is the first; what it gives serves the client of one from its AuthenticationOk on. */
  readonly loadConsole: () => Promise<(client: Socket, visitor: ConsoleVisitor) => ConsoleService>;
  /** A number for a console that no other of the gate has. */
  readonly nextConsolePid: () => Promise<number>;
  /** The upstream's catalogue, of which the whole gate has one session. */
  readonly catalog: UpstreamCatalog;
  /** The state in force. A reload changes it: before the decision no step may keep it across a wait. */
  readonly snapshot: () => Snapshot;
  /** New clients are told 57P03. */
  readonly draining: () => boolean;
  /** A new name for a connection, which no other connection of this process has. */
  readonly nextId: () => string;
}
