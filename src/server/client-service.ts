// Who serves the clients: this process itself, or several workers. server.ts and the admin listener do not know which.

import type { FullSessionRow, SessionRow } from '../session/session-row.ts';
import type { ListenAddress } from './listen.ts';
import type { MetricsJson, RuleHits } from '../telemetry/metrics.ts';

/** The processes that serve clients. */
export interface Staffing {
  /** How many should. */
  readonly wanted: number;
  /** How many do: they have started, and answer. */
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
  /** Where clients connect. */
  readonly addresses: readonly ListenAddress[];
  sessions(): Promise<readonly SessionRow[]>;
  /** With the consoles, and with what only the console shows. */
  fullSessions(): Promise<readonly FullSessionRow[]>;
  /** Each process that serves clients, or should. */
  workers(): Promise<readonly WorkerRow[]>;
  /** False = there is no such session (any more). */
  terminate(id: string): Promise<boolean>;
  /** Has the statement of a session cancelled; false = there is no such session, or the upstream was not reached. */
  cancel(id: string): Promise<boolean>;
  /** Of every process that serves but this one. */
  otherMetrics(): Promise<readonly MetricsJson[]>;
  ruleHits(): Promise<readonly RuleHits[]>;
  /** The state in force has changed. When it resolves, every decision of every process is made by the new one. */
  adopt(): Promise<void>;
  /** Which of the processes that should serve clients do. */
  readonly staffing: Staffing;
  /** From here on new clients are told 57P03. Resolves when no session is left. */
  drain(): Promise<void>;
  /** Ends what is left: sessions are told 57P01. Resolves when every connection is closed. */
  finish(): Promise<void>;
}
