// What serves the clients: this process itself, or several workers. server.ts and the admin listener do not know which.

import type { FullSessionRow, SessionRow } from '../session/session-row.ts';
import type { BanRow } from '../session/bans.ts';
import type { ConfigHolder } from '../config/snapshot.ts';
import type { SessionFilter } from '../session/sessions.ts';
import type { ListenAddress } from './listen.ts';
import type { TriedSession } from './rejudge.ts';
import type { RefusalRow } from '../telemetry/refusals.ts';
import type { MetricsJson, RuleHits } from '../telemetry/metrics.ts';

/** The processes that serve clients. */
export interface Staffing {
  /** How many should serve. */
  readonly wanted: number;
  /** How many serve: they have started, and they answer. */
  readonly serving: number;
}

/** A process that serves clients, as the console shows it. */
export interface WorkerRow {
  readonly pid: number;
  readonly sessions: number;
  /** Connections that have yet to prove themselves. */
  readonly handshakes: number;
  readonly state: 'serving' | 'starting' | 'silent';
}

/** What a dry run has found of the live sessions. */
export interface TriedSessions {
  readonly sessions: readonly TriedSession[];
  /** Of how many. */
  readonly of: number;
  /** Processes that did not answer: nothing is known of their sessions. */
  readonly silent: number;
}

export interface ClientService {
  /** The addresses that clients connect to. */
  readonly addresses: readonly ListenAddress[];
  sessions(): Promise<readonly SessionRow[]>;
  /** How many clients are in a session now, consoles aside. */
  readonly sessionCount: number;
  /** With the consoles, and with what only the console shows. */
  fullSessions(): Promise<readonly FullSessionRow[]>;
  /** Each process that serves clients, or should. */
  workers(): Promise<readonly WorkerRow[]>;
  /** The last refused and failed connections of all, the newest first. */
  refusals(): Promise<readonly RefusalRow[]>;
  /** The addresses that are refused for their failed authentications. */
  bans(): Promise<readonly BanRow[]>;
  /** Lets an address in again. False = it was not refused. */
  unban(address: string): Promise<boolean>;
  /** How many they are. */
  readonly bannedAddresses: number;
  /** False = no such session is there, or it has ended. */
  terminate(id: string): Promise<boolean>;
  /** Ends every session that fits; consoles never do. Returns their ids. */
  terminateAll(which: SessionFilter): Promise<readonly string[]>;
  /** Which live sessions a state would not admit that is not in force. */
  trySessions(state: Pick<ConfigHolder, 'current' | 'parts'>): Promise<TriedSessions>;
  /** Cancels the statement of a session. False = no such session is there, or the upstream could not be reached. */
  cancel(id: string): Promise<boolean>;
  /** Of every process that serves but this one. */
  otherMetrics(): Promise<readonly MetricsJson[]>;
  ruleHits(): Promise<readonly RuleHits[]>;
  /** The state in force has changed. When this resolves, every process decides by the new state. */
  adopt(): Promise<void>;
  /** How many processes serve clients, of how many that should. */
  readonly staffing: Staffing;
  /** New clients get 57P03 from now on. Resolves when the last session has ended. */
  drain(): Promise<void>;
  /** Ends the sessions that are left with 57P01. Resolves when every connection is closed. */
  finish(): Promise<void>;
}
