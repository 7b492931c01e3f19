// What one process's connections share: the snapshot in force, the tables of connections and sessions, the log and the
// metrics. Made by gate-process.ts, handed to every connection.

import type { Snapshot } from './config/snapshot.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Handshakes } from './session/handshakes.ts';
import type { Quota } from './session/quota.ts';
import type { Sessions } from './session/registry.ts';

export interface Gate {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly handshakes: Handshakes;
  readonly sessions: Sessions;
  /** Counts the sessions of all workers. */
  readonly quota: Quota;
  /** Whether a session with this key is relayed, by this process or another worker. */
  readonly hasCancelKey: (pid: number, key: Buffer) => Promise<boolean>;
  /** The state in force; a connection takes it once, at accept, and keeps it. */
  readonly snapshot: () => Snapshot;
  /** New clients are told 57P03. */
  readonly draining: () => boolean;
  /** A name for a connection that no other of this process has. */
  readonly nextId: () => string;
}
