// What the admin listener may see and do: the one door between HTTP and the gate. Every method is asynchronous, so
// that one process or several workers can implement it, and what it returns is plain data.

import type { BanRow } from '../session/bans.ts';
import type { FullSessionRow, SessionRow } from '../session/session-row.ts';
import type { SessionFilter } from '../session/sessions.ts';
import type { Problem } from '../base/problems.ts';
import type { Part, ReloadResult } from '../config/snapshot.ts';
import type { RefusalRow } from '../telemetry/refusals.ts';
import type { CrlInUse, HostCertificate } from '../tls/types.ts';

/** One pg_hba.conf line in force. */
export interface RuleRow {
  readonly file: string;
  readonly line: number;
  /** The line as it stands in the file. */
  readonly rule: string;
  readonly hits: number;
}

/** Rows that are made one by one as they are read, so that 100,000 of them are never in memory together. */
export interface RuleRows extends Iterable<RuleRow> {
  readonly length: number;
}

/** What GET /readyz answers. */
export interface Readiness {
  readonly ready: boolean;
  /** Why not; and parts whose last reload failed and workers that are missing, which alone leave the gate ready. */
  readonly reasons: readonly string[];
}

/** What GET /healthz answers: whether any process serves, which the one that is asked says for all. */
export interface Health {
  readonly alive: boolean;
  /** Why not; and workers that are missing, which alone leave the gate alive. */
  readonly reasons: readonly string[];
}

export interface GateStatus {
  readonly version: string;
  readonly startedAt: Date;
  /** Null = none since the start. */
  readonly lastReload: {
    readonly at: Date;
    readonly ok: boolean;
    readonly errors: readonly Problem[];
  } | null;
  readonly draining: boolean;
}

/** What the head of the status page shows beside the rest. */
export interface Overview {
  readonly upstream: {
    /** `host:port`, or the socket's directory. */
    readonly place: string;
    readonly answers: boolean;
  };
  /** Connections that have yet to prove themselves, of all workers. */
  readonly handshakes: number;
  /** 0 = no limit. */
  readonly limits: {
    readonly max_connections: number;
    readonly max_connections_per_address: number;
    readonly max_handshakes: number;
  };
  readonly workers: { readonly serving: number; readonly wanted: number };
}

/** What a reload would do with the files as they are. */
export interface DryRunReport extends ReloadResult {
  /** Those parts of `reloaded` in which something would be new. */
  readonly changed: readonly Part[];
  /** The live sessions that it would no longer admit, and those that could not be judged. */
  readonly sessions: readonly object[];
  /** Of how many live sessions. */
  readonly of: number;
  /** Worker processes that did not answer. */
  readonly silent: number;
  /** reload.sessions, as it would then be. */
  readonly action: 'keep' | 'terminate';
}

export interface GateView {
  /** The exposition of all workers together, with the content type that names its format. */
  metricsText(): Promise<{ readonly contentType: string; readonly body: string }>;
  sessions(): Promise<readonly SessionRow[]>;
  /** The same with what only the page and the console show; consoles are among them. */
  fullSessions(): Promise<readonly FullSessionRow[]>;
  /** False = no such session is there, or it has ended. */
  terminate(id: string): Promise<boolean>;
  /** Ends every session that fits; returns their ids. */
  terminateAll(which: SessionFilter): Promise<readonly string[]>;
  /** What a reload would do. Nothing changes. */
  dryRun(): Promise<DryRunReport>;
  /** Resolves when every new connection, of every worker, sees the new state (contract §7.2). */
  reload(): Promise<ReloadResult>;
  /** @param reader `anybody` gets nothing that a file of the configuration says, but its path */
  readiness(reader?: 'operators' | 'anybody'): Promise<Readiness>;
  health(): Promise<Health>;
  certificates(): Promise<{
    readonly certificates: readonly HostCertificate[];
    readonly crls: readonly CrlInUse[];
  }>;
  rules(): Promise<RuleRows>;
  /** The last refused and failed connections of all workers, the newest first (contract §17). */
  refusals(): Promise<readonly RefusalRow[]>;
  /** The addresses that are refused for their failed authentications (contract §10). */
  bans(): Promise<readonly BanRow[]>;
  /** Lets an address in again, as `bans` has it or any of an IPv6 network. False = it was not refused. */
  unban(address: string): Promise<boolean>;
  status(): Promise<GateStatus>;
  overview(): Promise<Overview>;
}
