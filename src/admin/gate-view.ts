// What the admin listener may see and do: the one door between HTTP and the gate. Every method is asynchronous, so
// that one process or several workers can stand behind it, and what it returns is plain data.

import type { Problem } from '../base/errors.ts';
import type { BackendStatus } from '../protocol/message-boundary.ts';
import type { ReloadResult } from '../config/snapshot.ts';
import type { CertificateInUse, CrlInUse } from '../tls/types.ts';

/** What a session does, as pg_stat_activity.state words it; or `terminating` = it is about to be ended. */
export type SessionState = BackendStatus | 'terminating';

/**
 * One live session, as GET /sessions shows it: the columns of pg_stat_ssl, and those of pg_stat_activity that the gate
 * knows (contract §5). Text is text already (`toText`); the TLS columns are null for a plaintext session.
 */
export interface SessionRow {
  readonly id: string;
  readonly user: string;
  /** Empty for physical replication. */
  readonly database: string;
  readonly client_addr: string;
  readonly client_port: number;
  readonly application_name: string;
  /** ISO 8601. */
  readonly backend_start: string;
  /** The pg_hba.conf line that admitted it. */
  readonly rule: { readonly file: string; readonly line: number };
  /** From the client. */
  readonly bytes_in: number;
  /** To the client. */
  readonly bytes_out: number;
  readonly state: SessionState;
  /** It would be refused by what a reload has brought (contract §2, reload; §17). */
  readonly no_longer_admitted: boolean;
  /** What the last reload has found; `not-judged` = nobody can say, so it goes on. */
  readonly judgement: 'admitted' | 'no-longer-admitted' | 'not-judged';
  /** Why it would be refused or could not be judged; null when it is admitted. */
  readonly judgement_reason: string | null;
  readonly version: string | null;
  readonly cipher: string | null;
  readonly bits: number | null;
  readonly client_dn: string | null;
  /** Decimal. */
  readonly client_serial: string | null;
  readonly issuer_dn: string | null;
}

/** One pg_hba.conf line in force. */
export interface RuleRow {
  readonly file: string;
  readonly line: number;
  /** The line as it stands in the file. */
  readonly rule: string;
  readonly hits: number;
}

/** Rows that are made one by one as they are read: 100,000 of them are never in memory at one time. An array is one. */
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

export interface GateView {
  /** The exposition of all workers together, with the content type that names its format. */
  metricsText(): Promise<{ readonly contentType: string; readonly body: string }>;
  sessions(): Promise<readonly SessionRow[]>;
  /** False = there is no such session (any more). */
  terminate(id: string): Promise<boolean>;
  /** Resolves when every new connection, of every worker, sees the new state (contract §7.2). */
  reload(): Promise<ReloadResult>;
  readiness(): Promise<Readiness>;
  health(): Promise<Health>;
  certificates(): Promise<{
    readonly certificates: readonly CertificateInUse[];
    readonly crls: readonly CrlInUse[];
  }>;
  rules(): Promise<RuleRows>;
  status(): Promise<GateStatus>;
}
