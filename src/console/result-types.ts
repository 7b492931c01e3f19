// The names and types of a result's columns, as PostgreSQL would give them: a table's column has its own, an expression
// those of its function or of what it holds.

import { ConsoleError } from './console-error.ts';
import type { EngineColumn } from './engine-messages.ts';
import { CAST_TYPES, expressionOf, selectItems, withoutAlias } from './expression.ts';
import { isPgType, type PgType, type SqlValue } from './pg-types.ts';
import type { SqlToken } from './sql-tokens.ts';
import { columnTypes } from './tables.ts';

export interface ResultColumn {
  readonly name: string;
  readonly type: PgType;
}

/** Most parameters of a statement: a Bind counts them in 16 bits. */
const MAX_PARAMETERS = 65_535;

/**
 * The columns of a result; `rows` decide where nothing else does.
 *
 * @throws ConsoleError where a number is too large for its type
 */
export function resultColumns(
  columns: readonly EngineColumn[],
  tokens: readonly SqlToken[],
  rows: readonly (readonly SqlValue[])[],
): ResultColumn[] {
  const items = selectItems(tokens);
  const fits = items.length === columns.length;
  return columns.map((column, index) => {
    const declared = column.type !== null && isPgType(column.type) ? column.type : null;
    if (declared !== null) return { name: column.name, type: declared };
    const { alias, body } = withoutAlias(fits ? (items[index] ?? []) : []);
    const { name, type } = expressionOf(body);
    return {
      name: alias ?? (fits ? (name ?? '?column?') : plainName(column.name)),
      // A column without a declared type is no table's, whatever its name.
      type: fitting(isColumn(body) ? null : type, rows, index),
    };
  });
}

/** The engine calls an expression without a name by its text. */
function plainName(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : '?column?';
}

/** `a` or `a.b`, and no value that is a word. */
function isColumn(body: readonly SqlToken[]): boolean {
  const [{ kind, word } = { kind: 'mark', word: '' }] = body;
  if (body.length > 1) return body.every(({ text }, index) => (text === '.') === (index % 2 === 1));
  return kind === 'quoted' || (kind === 'word' && !/^(?:true|false|current_\w+)$/.test(word));
}

/** The type that the statement gives to a column, where its values are of it; else what they are. */
function fitting(type: PgType | null, rows: readonly (readonly SqlValue[])[], index: number): PgType {
  if (type === null) return typeOfValues(rows, index);
  const isNumber = !['text', 'date', 'timestamptz'].includes(type);
  for (const row of rows) {
    const value = row[index] ?? null;
    if (value === null) continue;
    if (isNumber && typeof value === 'string' && (type === 'bool' || Number.isNaN(Number(value))))
      return typeOfValues(rows, index);
    if (type === 'int4') demandInteger(value, 2 ** 31, 'integer');
    if (type === 'int8') demandInteger(value, 2 ** 63, 'bigint');
  }
  return type;
}

/** The engine goes on with a wider type where PostgreSQL ends the statement. */
function demandInteger(value: SqlValue, limit: number, type: string): void {
  const number = Number(value);
  const isTooLarge = typeof value === 'bigint' ? limit < 2 ** 63 : number >= limit || number < -limit;
  if (isTooLarge) throw new ConsoleError('22003', `${type} out of range`);
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
    if (number < 1 || number > MAX_PARAMETERS) throw noParameter(token);
    const at = number - 1;
    found[at] = said[at] ?? found[at] ?? typeOfPlace(tokens, index) ?? 'text';
  }
  return Array.from({ length: found.length }, (_, index) => found[index] ?? said[index] ?? 'text');
}

/** Of a number that no parameter has. */
export function noParameter({ text }: SqlToken): ConsoleError {
  return new ConsoleError('42P02', `there is no parameter ${text.slice(0, 63)}`);
}

function typeOfPlace(tokens: readonly SqlToken[], index: number): PgType | null {
  const [before, after] = [tokens[index - 1], tokens[index + 1]];
  if (after?.text === '::') return CAST_TYPES.get(tokens[index + 2]?.word ?? '') ?? null;
  if (before?.word === 'limit' || before?.word === 'offset') return 'int8';
  if (before?.text === '(' && tokens[index - 2]?.word.startsWith('pg_')) return 'int4';
  if (isComparison(before)) return columnTypes.get(tokens[index - 2]?.word ?? '') ?? null;
  if (isComparison(after)) return columnTypes.get(tokens[index + 2]?.word ?? '') ?? null;
  return null;
}

function isComparison(token: SqlToken | undefined): boolean {
  return /^(?:=|<>|!=|<|>|<=|>=|between|in)$/.test(token?.word ?? '');
}
