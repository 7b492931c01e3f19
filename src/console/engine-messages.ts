// What the console and its engine say to each other, over the channel that Node's fork gives them.

import type { SqlValue } from './pg-types.ts';

/** A table as the engine fills it for one statement. */
export interface TableData {
  readonly name: string;
  /** Names and PostgreSQL's types, in order. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly SqlValue[])[];
}

/** One statement. */
export interface EngineRequest {
  readonly sql: string;
  /** By number: `$1` is the first. */
  readonly parameters: readonly SqlValue[];
  readonly tables: readonly TableData[];
  /** Only the columns are asked for, and at most one row, by which their types can be told. */
  readonly describes: boolean;
  /** Functions that answer the same whatever they are asked: `version`, `pg_backend_pid`, … */
  readonly constants: Readonly<Record<string, SqlValue>>;
  /** current_setting, by name. */
  readonly settings: Readonly<Record<string, string>>;
  /** What calls that change something have returned, by `name(argument)`. */
  readonly done: Readonly<Record<string, number>>;
}

/** A column of the result; `type` is the declared one of a table's column, null for an expression. */
export interface EngineColumn {
  readonly name: string;
  readonly type: string | null;
}

export type EngineResponse =
  | {
      readonly kind: 'rows';
      readonly columns: readonly EngineColumn[];
      readonly rows: readonly (readonly SqlValue[])[];
      /** Calls that the statement makes and that have not been carried out, as `name(argument)`. */
      readonly calls: readonly string[];
    }
  | { readonly kind: 'error'; readonly sqlstate: string; readonly message: string };

/** Functions that change something: the engine asks for them, and the console carries them out. */
export const ACTIONS = ['pg_reload_conf', 'pg_terminate_backend', 'pg_cancel_backend'] as const;

/** How many arguments each takes. */
export const ARGUMENTS: Readonly<Record<(typeof ACTIONS)[number], readonly [least: number, most: number]>> = {
  pg_reload_conf: [0, 0],
  pg_terminate_backend: [1, 2],
  pg_cancel_backend: [1, 1],
};

/** Most rows and bytes of one result. */
export const MAX_RESULT_ROWS = 100_000;
export const MAX_RESULT_BYTES = 16 * 1024 * 1024;
