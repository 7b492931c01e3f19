// The names and types of a result's columns, as PostgreSQL would give them: a table's column has its own, an expression
// those of its function or of what it holds.

import { ConsoleError } from './console-error.ts';
import type { EngineColumn } from './engine-messages.ts';
import { isPgType, type PgType, type SqlValue } from './pg-types.ts';
import type { SqlToken } from './sql-tokens.ts';
import { valueOf } from './sql-tokens.ts';

export interface ResultColumn {
  readonly name: string;
  readonly type: PgType;
}

/** Most parameters of a statement: a Bind counts them in 16 bits. */
const MAX_PARAMETERS = 65_535;

/** What PostgreSQL's functions return. */
const RETURN_TYPES: ReadonlyMap<string, PgType> = new Map<string, PgType>([
  ['pg_reload_conf', 'bool'],
  ['pg_terminate_backend', 'bool'],
  ['pg_cancel_backend', 'bool'],
  ['pg_backend_pid', 'int4'],
  ['pg_is_in_recovery', 'bool'],
  ['txid_current', 'int8'],
  ['count', 'int8'],
  ['sum', 'numeric'],
  ['now', 'timestamptz'],
  ['version', 'text'],
  ['current_setting', 'text'],
]);

/** Columns of a parameter's other side, for the type that it is given. */
export const COLUMN_TYPES: ReadonlyMap<string, PgType> = new Map<string, PgType>([
  ['pid', 'int4'],
  ['upstream_pid', 'int4'],
  ['line', 'int4'],
  ['rule_line', 'int4'],
  ['client_port', 'int4'],
  ['proxy_port', 'int4'],
  ['bits', 'int4'],
  ['hits', 'int8'],
  ['bytes_in', 'int8'],
  ['bytes_out', 'int8'],
  ['failures', 'int4'],
  ['refused', 'int8'],
  ['value', 'float8'],
  ['ssl', 'bool'],
  ['restart', 'bool'],
  ['no_longer_admitted', 'bool'],
  ['backend_start', 'timestamptz'],
  ['not_before', 'timestamptz'],
  ['not_after', 'timestamptz'],
  ['client_not_after', 'timestamptz'],
  ['at', 'timestamptz'],
  ['until', 'timestamptz'],
]);

/** Types as a cast names them. */
const CAST_TYPES: ReadonlyMap<string, PgType> = new Map<string, PgType>([
  ['bool', 'bool'],
  ['boolean', 'bool'],
  ['int', 'int4'],
  ['int4', 'int4'],
  ['integer', 'int4'],
  ['int2', 'int4'],
  ['smallint', 'int4'],
  ['int8', 'int8'],
  ['bigint', 'int8'],
  ['float8', 'float8'],
  ['float', 'float8'],
  ['real', 'float8'],
  ['numeric', 'numeric'],
  ['timestamptz', 'timestamptz'],
  ['timestamp', 'timestamptz'],
  ['text', 'text'],
  ['varchar', 'text'],
]);

/** The columns of a result; `rows` decide where nothing else does. */
export function resultColumns(
  columns: readonly EngineColumn[],
  tokens: readonly SqlToken[],
  rows: readonly (readonly SqlValue[])[],
): ResultColumn[] {
  const items = selectItems(tokens);
  const fits = items.length === columns.length;
  return columns.map((column, index) => {
    const item = fits ? (items[index] ?? []) : [];
    const declared = column.type !== null && isPgType(column.type) ? column.type : null;
    return {
      name: declared === null && !isNamed(item, column.name) ? nameOf(item) : column.name,
      type: declared ?? typeOfItem(item) ?? typeOfValues(rows, index),
    };
  });
}

/** The expressions between SELECT and FROM; none where the statement is more than one SELECT. */
function selectItems(tokens: readonly SqlToken[]): SqlToken[][] {
  if (tokens[0]?.word !== 'select') return [];
  const items: SqlToken[][] = [[]];
  let depth = 0;
  for (const token of tokens.slice(tokens[1]?.word === 'distinct' ? 2 : 1)) {
    if (token.text === '(') depth++;
    if (token.text === ')') depth--;
    if (depth === 0 && ['from', 'union', 'where', 'limit', 'order'].includes(token.word)) break;
    if (depth === 0 && token.text === ',') items.push([]);
    else items.at(-1)?.push(token);
  }
  return items;
}

/** Whether the statement names the column itself: the engine calls an expression without a name by its text. */
function isNamed(item: readonly SqlToken[], name: string): boolean {
  const last = item.at(-1);
  return /^[A-Za-z_]\w*$/.test(name) || (last?.kind === 'quoted' && valueOf(last) === name);
}

/** PostgreSQL names a call by its function, and anything else `?column?`. */
function nameOf(item: readonly SqlToken[]): string {
  const call = item.filter(
    ({ word, text }, index) => !(word === 'pg_catalog' || (text === '.' && index === 1)),
  );
  const [first, second] = call;
  const cast = item.findIndex(({ text }) => text === '::');
  if (cast !== -1 && item.length <= cast + 4) return cast === 0 ? '?column?' : nameOfCast(item, cast);
  if (first?.kind === 'word' && (second?.text === '(' || call.length === 1)) return first.word;
  return '?column?';
}

function nameOfCast(item: readonly SqlToken[], cast: number): string {
  const inner = nameOf(item.slice(0, cast));
  return inner === '?column?' ? (item.at(-1)?.word ?? inner) : inner;
}

function typeOfItem(item: readonly SqlToken[]): PgType | null {
  const body = item.at(-2)?.word === 'as' ? item.slice(0, -2) : item;
  const cast = body.at(-2)?.text === '::' ? CAST_TYPES.get(body.at(-1)?.word ?? '') : undefined;
  if (cast !== undefined) return cast;
  const [first, second] = body.filter(({ word, text }) => word !== 'pg_catalog' && text !== '.');
  if (first === undefined) return null;
  if (body.length === 1 && first.kind === 'number') return /^\d{1,9}$/.test(first.text) ? 'int4' : null;
  if (body.length === 1 && first.kind === 'string') return 'text';
  if (body.length === 1 && ['true', 'false'].includes(first.word)) return 'bool';
  if (body.every(isOfIntegers)) return 'int4';
  return second?.text === '(' && body.at(-1)?.text === ')' ? (RETURN_TYPES.get(first.word) ?? null) : null;
}

/** What an expression may be made of that is an int4 to PostgreSQL. */
function isOfIntegers({ kind, text, word }: SqlToken): boolean {
  if (kind === 'number') return /^\d{1,9}$/.test(text);
  return kind === 'parameter' || /^(?:[-+*/%()]|::|int|int4|integer)$/.test(word);
}

function typeOfValues(rows: readonly (readonly SqlValue[])[], index: number): PgType {
  const value = rows.map((row) => row[index] ?? null).find((each) => each !== null) ?? null;
  if (typeof value === 'bigint') return 'int8';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int8' : 'float8';
  return 'text';
}

/**
 * The types of `$1`, `$2`, …: what the client says, else what the statement compares them with, else text.
 *
 * @throws ConsoleError for a number that no parameter can have
 */
export function parameterTypes(tokens: readonly SqlToken[], said: readonly (PgType | null)[]): PgType[] {
  const found: PgType[] = [];
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'parameter') continue;
    const number = Number(token.text.slice(1));
    // SECURITY: the list is as long as the greatest number, and nine digits of it would fill the memory of the gate.
    if (number < 1 || number > MAX_PARAMETERS) {
      throw new ConsoleError('42P02', `there is no parameter ${token.text.slice(0, 63)}`);
    }
    const at = number - 1;
    found[at] = said[at] ?? found[at] ?? typeOfPlace(tokens, index) ?? 'text';
  }
  return Array.from({ length: found.length }, (_, index) => found[index] ?? said[index] ?? 'text');
}

function typeOfPlace(tokens: readonly SqlToken[], index: number): PgType | null {
  const [before, after] = [tokens[index - 1], tokens[index + 1]];
  if (after?.text === '::') return CAST_TYPES.get(tokens[index + 2]?.word ?? '') ?? null;
  if (before?.word === 'limit' || before?.word === 'offset') return 'int8';
  if (before?.text === '(' && tokens[index - 2]?.word.startsWith('pg_')) return 'int4';
  if (isComparison(before)) return COLUMN_TYPES.get(tokens[index - 2]?.word ?? '') ?? null;
  if (isComparison(after)) return COLUMN_TYPES.get(tokens[index + 2]?.word ?? '') ?? null;
  return null;
}

function isComparison(token: SqlToken | undefined): boolean {
  return /^(?:=|<>|!=|<|>|<=|>=|between|in)$/.test(token?.word ?? '');
}
