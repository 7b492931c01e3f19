// What the first process and its workers may ask of each other.

import type { SessionRow } from '../admin/gate-view.ts';
import type { ReloadResult } from '../config/snapshot.ts';
import type { ListenAddress } from '../listen.ts';
import type { MetricsJson, RuleHits } from '../metrics.ts';
import type { Exhausted, SessionLimits } from '../session/quota.ts';

/** A worker's connections that no rule has admitted yet. */
export interface WorkerHandshakes {
  readonly count: number;
  /** For how long the one longest without progress has made none, in milliseconds; 0 when there is none. */
  readonly oldestMs: number;
}

/** A worker's methods. */
export interface WorkerMethods {
  /** Loads the configuration and listens on these addresses, beside the other workers. */
  start(configFile: string, addresses: readonly ListenAddress[]): Promise<void>;
  sessions(): Promise<readonly SessionRow[]>;
  terminate(id: string): Promise<boolean>;
  metrics(): Promise<MetricsJson>;
  ruleHits(): Promise<readonly RuleHits[]>;
  reload(): Promise<ReloadResult>;
  hasCancelKey(pid: number, key: Buffer): boolean;
  /** The connections that no rule has admitted yet, as they are now. */
  handshakes(): WorkerHandshakes;
  /** Ends the one longest without progress. */
  evictOldestHandshake(): void;
  drain(): Promise<void>;
  /** Ends everything; the worker then exits. */
  finish(): Promise<void>;
}

/** The first process's methods. */
export interface PrimaryMethods {
  /** Looks whether there is room for one more session. */
  check(address: string, limits: SessionLimits): Exhausted | null;
  /** Counts a session where there is room. */
  take(address: string, limits: SessionLimits): Exhausted | null;
  /** Counts a session where no limit is set, so nobody waits for an answer. */
  add(address: string): void;
  release(address: string): void;
  /** How many connections of the worker no rule has admitted yet. */
  handshakes(count: number): void;
  /** Whether a worker other than the one that asks relays a session with this key. */
  hasCancelKey(pid: number, key: Buffer): Promise<boolean>;
}
