// How often each pg_hba.conf line has decided. Only lines that have decided are kept and listed: with 100,000 lines in
// force, a scrape that listed them all would hold up every session.

import type { Method } from '../rules/types.ts';

/** A pg_hba.conf line in force; `raw` tells an edited line from the one that stood there before. */
export interface RuleInForce {
  readonly file: string;
  readonly line: number;
  readonly method: Method;
  readonly raw: string;
}

/** How often one pg_hba.conf line has decided in this process; a line that never has is not listed. */
export interface RuleHits {
  readonly file: string;
  readonly line: number;
  readonly hits: number;
}

/** A line that has decided, with its count. */
export interface CountedRule extends RuleInForce {
  readonly hits: number;
}

/** The counts of the lines in force. */
export class RuleHitCounts {
  #records: readonly RuleInForce[] = [];
  /** By file, then by line; built when a line first decides, because most reloads come before the next decision. */
  #index: Map<string, Map<number, RuleInForce>> | null = null;
  /** By record, so that a count ends with the very line that it belongs to. */
  #hits = new Map<RuleInForce, number>();

  /**
   * Sets the lines in force. A count goes on where the same text stands in the same line of the same file, and is
   * forgotten elsewhere.
   */
  replace(records: readonly RuleInForce[]): void {
    if (records === this.#records) return;
    const before = this.#hits;
    this.#records = records;
    this.#index = null;
    this.#hits = new Map();
    for (const [old, hits] of before) {
      const record = this.#find(old.file, old.line);
      if (record?.raw === old.raw) this.#hits.set(record, hits);
    }
  }

  /** Counts decisions of a line. A line that is no longer in force is not counted. */
  add(file: string, line: number, times: number): void {
    const record = this.#find(file, line);
    if (record !== undefined && times > 0) this.#hits.set(record, (this.#hits.get(record) ?? 0) + times);
  }

  /** The lines that have decided, in the order in which they first did. */
  rows(): readonly CountedRule[] {
    return [...this.#hits].map(([{ file, line, method, raw }, hits]) => ({ file, line, method, raw, hits }));
  }

  #find(file: string, line: number): RuleInForce | undefined {
    this.#index ??= indexOf(this.#records);
    return this.#index.get(file)?.get(line);
  }
}

function indexOf(records: readonly RuleInForce[]): Map<string, Map<number, RuleInForce>> {
  const index = new Map<string, Map<number, RuleInForce>>();
  for (const record of records) {
    let lines = index.get(record.file);
    if (lines === undefined) index.set(record.file, (lines = new Map()));
    // A file that is included twice has each of its lines twice. A reader of the counts sees one line.
    if (!lines.has(record.line)) lines.set(record.line, record);
  }
  return index;
}
