// What serves the clients: this process itself, or several workers. server.ts and the admin listener do not know which.

import type { FullSessionRow, SessionRow } from '../session/session-row.ts';
import type { BanRow } from '../session/bans.ts';
import type { ListenAddress } from './listen.ts';
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

export interface ClientService {
  /** The addresses that clients connect to. */
  readonly addresses: readonly ListenAddress[];
  sessions(): Promise<readonly SessionRow[]>;
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
