// What the first process and its workers may ask of each other.

import type { ByteString } from '../../base/bytestring.ts';
import type { CatalogRoles } from '../../rules/types.ts';
import type { ConsoleView } from '../../console/console-view.ts';
import type { FullSessionRow, SessionRow } from '../../session/session-row.ts';
import type { SentState } from '../../config/handover.ts';
import type { SessionFilter } from '../../session/sessions.ts';
import type { TriedSessions } from '../client-service.ts';
import type { ListenAddress } from '../listen.ts';
import type { RefusalRow } from '../../telemetry/refusals.ts';
import type { MetricsJson, RuleHits } from '../../telemetry/metrics.ts';
import type { Candidate } from '../../session/handshakes.ts';
import type { BanLimits } from '../../session/bans.ts';
import type { Owed } from '../../session/debts.ts';
import type { Turn } from '../../session/guesses.ts';
import type { Exhausted, SessionLimits } from '../../session/quota.ts';
import type { KeyUse } from '../../session/sessions.ts';

/** A worker's connections that have yet to prove themselves. */
export interface WorkerHandshakes {
  readonly count: number;
  /** The one that would have to go first. */
  readonly first: Candidate | null;
}

/** Memberships as they go to a worker. */
export interface SentMemberships {
  /** Null = those that the worker has. */
  readonly roles: CatalogRoles | null;
  readonly version: string;
  /** How old they are, in milliseconds. */
  readonly ageMs: number;
}

/** A worker's methods. */
export interface WorkerMethods {
  /** Puts this state in force and listens on these addresses, beside the other workers. */
  start(state: SentState, addresses: readonly ListenAddress[]): Promise<void>;
  /** Puts this state in force; when it returns, every decision is made by it. */
  adopt(state: SentState): Promise<void>;
  /** Answers, as a worker does that does not hang. */
  ping(): void;
  sessions(): Promise<readonly SessionRow[]>;
  fullSessions(): Promise<readonly FullSessionRow[]>;
  /** Resolves when the first process has every refusal up to this call. */
  tellRefusals(): Promise<void>;
  terminate(id: string): Promise<boolean>;
  terminateAll(which: SessionFilter): Promise<readonly string[]>;
  /** Judges its sessions by a state that is not to be in force. */
  trySessions(state: SentState): Promise<TriedSessions>;
  cancel(id: string): Promise<boolean>;
  metrics(): Promise<MetricsJson>;
  ruleHits(): Promise<readonly RuleHits[]>;
  /** What it knows of this cancel key; the statement of a console is ended. */
  useKey(pid: number, key: Buffer): KeyUse | null;
  /** A cancel request from this address had a key that no worker knows. */
  unknownKey(address: string): void;
  /** Another worker has found out that this upstream takes no settings of the gate's. */
  identityRefused(upstream: string): void;
  /**
   * The connections that have yet to prove themselves, once what has arrived is read.
   *
   * @param crowded the addresses that have more than their share in all workers together
   */
  handshakes(crowded: ReadonlySet<string>): Promise<WorkerHandshakes>;
  /** Ends the one that has to go first. */
  evictHandshake(crowded: ReadonlySet<string>): void;
  /** Another worker has charged this address for a failed opening. */
  charged(address: string, ms: number): void;
  /** What addresses owe for failed openings in the other workers. */
  owed(debts: readonly Owed[]): void;
  /** New clients are told 57P03 from here on; `drained` is told when no session is left. */
  drain(): void;
  /** Ends everything; the worker then exits. */
  finish(): Promise<void>;
}

/** The first process's methods; what a console sees of the gate is among them. */
export interface PrimaryMethods extends Omit<ConsoleView, 'version'> {
  /** Looks whether there is room for one more session. */
  check(address: string, limits: SessionLimits): Exhausted | null;
  /** Counts a session where there is room. */
  take(address: string, limits: SessionLimits): Exhausted | null;
  /** Counts a session where no limit is set, so nobody waits for an answer. */
  add(address: string): void;
  release(address: string): void;
  /** Whether connections of this address are refused; counts the refusal. */
  refusesAddress(address: string): boolean;
  /** An answer to a password request has come: whether it may be looked at. */
  guess(address: string, limits: BanLimits): Promise<Turn>;
  /** Its verdict has counted, or none will come. */
  guessEnded(address: string): void;
  authenticationFailed(address: string, limits: BanLimits): void;
  /** Forgets the address's failures; true = it is refused by now. */
  authenticationSucceeded(address: string): boolean;
  /** How many connections of the worker have yet to prove themselves, and of each address where that has changed. */
  handshakes(count: number, changes: ReadonlyMap<string, number>): void;
  /** The worker has charged this address for a failed opening. */
  charge(address: string, ms: number): void;
  /** These connections were refused or have failed, the oldest first. */
  refused(rows: readonly RefusalRow[]): void;
  /** No session is left since `drain`. */
  drained(): void;
  /** What a worker other than the one that asks knows of this cancel key. */
  useKey(pid: number, key: Buffer): Promise<KeyUse | null>;
  /** A cancel request from this address had a key that no worker knows: the others count it too. */
  unknownKey(address: string): void;
  /** This upstream takes no settings of the gate's: the others need not try. */
  identityRefused(upstream: string): void;
  nextConsolePid(): number;
  /** Memberships for decisions by the settings of this key; without the roles where their version is the one known. */
  memberships(key: string, knownVersion: string | null): Promise<SentMemberships>;
  /** What auth_query says of a user, by the settings of this key. */
  secretOf(user: ByteString, asker: string, key: string): Promise<ByteString | null>;
}
