// What the console sees of the gate and may do to it: the whole gate, whatever worker has taken the connection. Plain
// data, so that it can come from another process.

import type { SqlValue } from './pg-types.ts';

/** One session, or a console itself. Texts are texts already. */
export interface ConsoleSession {
  readonly id: string;
  /** The upstream's process, or a console's own number; null while the login runs. */
  readonly pid: number | null;
  readonly user: string;
  readonly database: string;
  readonly application_name: string;
  readonly client_addr: string;
  readonly client_port: number;
  /** Who has sent a PROXY header; null without one. */
  readonly proxy_addr: string | null;
  readonly proxy_port: number | null;
  /** ISO 8601. */
  readonly backend_start: string;
  readonly state: string;
  readonly rule_file: string | null;
  readonly rule_line: number | null;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly version: string | null;
  readonly cipher: string | null;
  readonly bits: number | null;
  /** `/CN=x/O=y`, whole. */
  readonly client_dn: string | null;
  /** Decimal. */
  readonly client_serial: string | null;
  readonly issuer_dn: string | null;
  /** ISO 8601; null without a certificate. */
  readonly client_not_after: string | null;
  readonly no_longer_admitted: boolean;
  readonly judgement: string;
  readonly judgement_reason: string | null;
  /** RFC 2253, as GET /sessions has it. */
  readonly client_dn_rfc2253: string | null;
  readonly issuer_dn_rfc2253: string | null;
  /** A console, which is not a session of the upstream's. */
  readonly is_console: boolean;
  readonly replication: boolean;
}

/** A setting in force. */
export interface ConsoleSetting {
  readonly name: string;
  /** Null = it may hold a secret, and is shown to nobody. A duration is in `unit`. */
  readonly setting: string | null;
  readonly unit: string | null;
  readonly source: string;
  readonly restart: boolean;
  /** The default, as YAML would write it. */
  readonly initial: string;
}

/** Rows of a table whose columns `tables.ts` names. */
export type ConsoleRows = readonly (readonly SqlValue[])[];

/** The tables that come as rows. */
export type RowTable = 'rules' | 'certificates' | 'crls' | 'metrics' | 'bans' | 'refusals' | 'workers';

export interface ConsoleView {
  sessions(): Promise<readonly ConsoleSession[]>;
  settings(): Promise<readonly ConsoleSetting[]>;
  rows(table: RowTable): Promise<ConsoleRows>;
  /** How many lines of pg_hba.conf are in force: their rows may be a hundred thousand. */
  ruleCount(): Promise<number>;
  /** The gate's version. */
  readonly version: string;
  /** Whether a drain is under way. */
  draining(): Promise<boolean>;
  /** Null = it was reloaded; else every `file:line: message`. */
  reload(): Promise<readonly string[] | null>;
  /** False = there is no such session (any more). */
  terminate(id: string): Promise<boolean>;
  /** False = its query could not be cancelled, or there is no such session. */
  cancel(id: string): Promise<boolean>;
  /** Begins a drain, as SIGTERM does. */
  drain(): Promise<void>;
}
