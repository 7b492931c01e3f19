// The prepared statements and portals of one console, by their names. A client may keep them as long as it stays, so their
// number has a limit and their size together has one.

import { toText, type ByteString } from '../base/bytestring.ts';
import type { Format } from '../protocol/query/bind.ts';
import { ConsoleError } from './console-error.ts';
import { MAX_RESULT_BYTES } from './engine-messages.ts';
import type { Outcome } from './executor.ts';
import type { PgType, SqlValue } from './pg-types.ts';
import type { ResultColumn } from './result-types.ts';

/** Most statements, and most portals. */
const MAX_NAMED = 1_000;

/** Most bytes of all of them together: a portal that keeps the longest result there is has room, and much beside it. */
const MAX_BYTES = 2 * MAX_RESULT_BYTES;

/** What one character of a statement counts for: it may be a column, of which name and type are kept. */
const BYTES_PER_CHARACTER = 16;

export interface Prepared {
  /** Its text: cut into tokens it would take eighty times as much. */
  readonly sql: string;
  readonly parameterTypes: readonly PgType[];
  /** Known once it has been described; null = no rows. */
  columns: readonly ResultColumn[] | null | undefined;
}

export interface Portal {
  readonly prepared: Prepared;
  readonly parameters: readonly SqlValue[];
  readonly formats: readonly Format[];
  /** Once it runs. */
  outcome: Outcome | null;
  /** How many of its rows have been sent. */
  sent: number;
}

interface Held<Value> {
  readonly value: Value;
  bytes: number;
}

export class PreparedStatements {
  readonly #statements = new Map<ByteString, Held<Prepared>>();
  readonly #portals = new Map<ByteString, Held<Portal>>();
  #bytes = 0;

  /** @throws ConsoleError */
  statement(name: ByteString): Prepared {
    const held = this.#statements.get(name);
    if (held !== undefined) return held.value;
    const which = name === '' ? 'unnamed prepared statement' : `prepared statement "${toText(name)}"`;
    throw new ConsoleError('26000', `${which} does not exist`);
  }

  /** @throws ConsoleError */
  portal(name: ByteString): Portal {
    return this.#heldPortal(name).value;
  }

  /** @throws ConsoleError */
  addStatement(name: ByteString, prepared: Prepared): void {
    if (name !== '' && this.#statements.has(name)) {
      throw new ConsoleError('42P05', `prepared statement "${toText(name)}" already exists`);
    }
    const bytes = prepared.sql.length * BYTES_PER_CHARACTER + prepared.parameterTypes.length * 8;
    this.#add(this.#statements, name, { value: prepared, bytes });
  }

  /**
   * @param bytes how long its message is
   * @throws ConsoleError
   */
  addPortal(name: ByteString, portal: Portal, bytes: number): void {
    if (name !== '' && this.#portals.has(name)) {
      throw new ConsoleError('42P03', `cursor "${toText(name)}" already exists`);
    }
    // Its statement may have been replaced by another meanwhile, and is kept all the same.
    this.#add(this.#portals, name, { value: portal, bytes: bytes + portal.prepared.sql.length });
  }

  /**
   * Counts the rows that a portal keeps for its next Execute.
   *
   * @throws ConsoleError
   */
  keepRows(name: ByteString, bytes: number): void {
    this.#demandBytes(bytes);
    this.#heldPortal(name).bytes += bytes;
    this.#bytes += bytes;
  }

  dropStatement(name: ByteString): void {
    this.#drop(this.#statements, name);
  }

  dropPortal(name: ByteString): void {
    this.#drop(this.#portals, name);
  }

  dropPortals(): void {
    for (const name of this.#portals.keys()) this.dropPortal(name);
  }

  /**
   * @param name null = all, and the unnamed one stays, as in PostgreSQL
   * @throws ConsoleError
   */
  deallocate(name: ByteString | null): void {
    if (name !== null) this.statement(name);
    const dropped = name === null ? [...this.#statements.keys()].filter((each) => each !== '') : [name];
    for (const each of dropped) this.dropStatement(each);
  }

  #heldPortal(name: ByteString): Held<Portal> {
    const held = this.#portals.get(name);
    if (held === undefined) throw new ConsoleError('34000', `portal "${toText(name)}" does not exist`);
    return held;
  }

  #add<Value>(all: Map<ByteString, Held<Value>>, name: ByteString, held: Held<Value>): void {
    // The unnamed one takes the place of the one before it.
    this.#drop(all, name);
    if (all.size >= MAX_NAMED) {
      throw new ConsoleError('53400', `a console holds at most ${MAX_NAMED} prepared statements and portals`);
    }
    this.#demandBytes(held.bytes);
    all.set(name, held);
    this.#bytes += held.bytes;
  }

  #drop<Value>(all: Map<ByteString, Held<Value>>, name: ByteString): void {
    this.#bytes -= all.get(name)?.bytes ?? 0;
    all.delete(name);
  }

  /** SECURITY: a thousand statements of a megabyte each, or results that wait to be fetched, would fill the memory. */
  #demandBytes(bytes: number): void {
    if (this.#bytes + bytes <= MAX_BYTES) return;
    throw new ConsoleError(
      '53400',
      `a console holds at most ${MAX_BYTES} bytes of prepared statements and portals`,
    );
  }
}

/** How much the rows of a result take, about. */
export function bytesOf(rows: Outcome['rows']): number {
  let bytes = 0;
  for (const row of rows) for (const value of row) bytes += typeof value === 'string' ? value.length + 16 : 8;
  return bytes;
}
