// The last refused and failed connections (contract §17), with the fields of their closing lines. So a person who looks
// sees why a client was refused without the log at hand.

import { codes, type Code } from '../base/codes.ts';
import { shortenedFields } from './log-line.ts';

/** SECURITY: strangers cause these by the thousand. A row is as long as a line of the log at most. */
const MAX_REFUSALS = 200;

/** The fields of one closing line, as plain data. The names are those of the log. */
export interface RefusalRow {
  /** ISO 8601. */
  readonly time: string;
  readonly level: string;
  readonly code: string;
  readonly msg: string;
  readonly id?: string;
  readonly host?: string | null;
  readonly port?: number | null;
  readonly proxy_addr?: string | null;
  readonly proxy_port?: number | null;
  readonly user?: string;
  readonly database?: string;
  /** FILE:LINE. */
  readonly rule?: string;
  readonly sqlstate?: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly [field: string]: unknown;
}

/**
 * The row of a closing line; null for one that the log has at debug only. Health checks that close without a byte, and
 * what a ban refuses, would otherwise push out what a person looks for within seconds (decision 85).
 */
export function refusalRow(
  code: Code,
  fields: Readonly<Record<string, unknown>>,
  msg: string,
): RefusalRow | null {
  const { level } = codes[code];
  if (level === 'debug') return null;
  return shortenedFields({ time: new Date().toISOString(), level, ...fields, code, msg });
}

/** The last rows. */
export class Refusals {
  #rows: RefusalRow[] = [];

  add(...rows: readonly RefusalRow[]): void {
    this.#rows = [...this.#rows, ...rows].slice(-MAX_REFUSALS);
  }

  /** The newest first. */
  list(): readonly RefusalRow[] {
    return this.#rows.toReversed();
  }

  /** Hands the rows over, the oldest first, and forgets them. */
  take(): readonly RefusalRow[] {
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }
}
