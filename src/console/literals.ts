// Literals beside a column as the engine has to get them. PostgreSQL reads `'yesterday'` or `'t'` as the type of the column
// that it is compared with; the engine compares texts, and answers with the wrong rows.

import { ConsoleError } from './console-error.ts';
import { normalTimestamp, truthOf, type PgType } from './pg-types.ts';
import { CAST_TYPES } from './expression.ts';
import { valueOf, type SqlToken } from './sql-tokens.ts';
import { columnTypes } from './tables.ts';

/** What a literal is compared with. */
interface Comparison {
  /** The operator as it stands there; `=` for a list. */
  readonly operator: string;
  /** The last token of the other side, and the one before it. */
  readonly other: SqlToken | undefined;
  readonly beforeOther: SqlToken | undefined;
}

const OPERATOR = /^(?:=|<>|!=|<|>|<=|>=)$/;
const ORDERING = /^(?:<|>|<=|>=|between)$/;

/** What is open at a place of a statement: the other side of its IN list, and that of a BETWEEN whose AND has yet to come. */
interface Frame {
  readonly list: Comparison | null;
  between: Comparison | null;
}

/** What each literal of a statement is compared with, by its place. Each token is looked at once. */
export function comparisonsOf(tokens: readonly SqlToken[]): ReadonlyMap<number, Comparison> {
  const found = new Map<number, Comparison>();
  const frames: Frame[] = [{ list: null, between: null }];
  for (const [index, token] of tokens.entries()) {
    const before = tokens[index - 1];
    const frame = frames.at(-1);
    if (token.text === '(') {
      frames.push({ list: before?.word === 'in' ? against(tokens, index - 1, '=') : null, between: null });
    } else if (token.text === ')' && frames.length > 1) frames.pop();
    else if (token.word === 'between' && frame !== undefined)
      frame.between = against(tokens, index, 'between');
    else if (token.kind === 'string' || token.kind === 'number') {
      const comparison = comparisonAt(tokens, index, frame);
      if (comparison !== null) found.set(index, comparison);
    }
  }
  return found;
}

function comparisonAt(
  tokens: readonly SqlToken[],
  index: number,
  frame: Frame | undefined,
): Comparison | null {
  const [before, after] = [tokens[index - 1], tokens[index + 1]];
  if (OPERATOR.test(before?.text ?? '')) return against(tokens, index - 1, before?.text ?? '');
  if (before?.word === 'between') return frame?.between ?? null;
  if (before?.word === 'and' && frame !== undefined) {
    const { between } = frame;
    frame.between = null;
    return between;
  }
  if (before?.text === ',' || before?.text === '(') {
    if (frame?.list !== null && frame !== undefined) return frame.list;
  }
  if (!OPERATOR.test(after?.text ?? '')) return null;
  let at = index + 2;
  while (tokens[at + 1]?.text === '.') at += 2;
  return { operator: after?.text ?? '', other: tokens[at], beforeOther: tokens[at - 1] };
}

/** With what stands before the operator at `at`. */
function against(tokens: readonly SqlToken[], at: number, operator: string): Comparison {
  const end = tokens[at - 1]?.word === 'not' ? at - 2 : at - 1;
  return { operator, other: tokens[end], beforeOther: tokens[end - 1] };
}

/** Names that the statement gives to columns of its own: their types are not those of the tables. */
export function ownNames(tokens: readonly SqlToken[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [index, { word }] of tokens.entries()) {
    const next = tokens[index + 1];
    if (word === 'as' && next !== undefined) names.add(valueOf(next));
  }
  return names;
}

/**
 * A literal for the engine.
 *
 * @throws ConsoleError for one that is none of the column's type
 */
export function literalText(
  token: SqlToken,
  { operator, other, beforeOther }: Comparison,
  names: ReadonlySet<string>,
): string {
  const type = typeOf(other, beforeOther, names);
  if (token.kind === 'number') return numberText(token, type, operator);
  const value = valueOf(token);
  switch (type) {
    case 'bool':
      return String(truthOf(value) ?? refuse('boolean', value));
    case 'timestamptz':
      return quote(normalTimestamp(value) ?? refuse('timestamp with time zone', value, '22007'));
    case 'date':
      return quote((normalTimestamp(value) ?? refuse('date', value, '22007')).slice(0, 10));
    case 'int4':
    case 'int8':
      if (!/^\s*[+-]?\d+\s*$/.test(value)) refuse(type === 'int4' ? 'integer' : 'bigint', value);
      return token.text;
    case 'text':
    case 'numeric':
    case 'float8':
      return token.text;
    case null: {
      // The engine compares moments as texts, so all of them have to have one form.
      const moment = /\d/.test(value) ? normalTimestamp(value) : null;
      return moment === null ? token.text : quote(moment);
    }
    default:
      return type satisfies never;
  }
}

/** A serial number has more digits than the engine's numbers, so its column is text there. */
function numberText(token: SqlToken, type: PgType | null, operator: string): string {
  const isOrdering = ORDERING.test(operator);
  if (type === 'text' && isOrdering) {
    throw new ConsoleError('42883', `operator does not exist: text ${operator} integer`, {
      hint: 'No operator matches the given name and argument types. You might need to add explicit type casts.',
    });
  }
  if (type !== 'numeric') return token.text;
  if (isOrdering)
    throw new ConsoleError('0A000', 'the console does not compare serial numbers by their size');
  return /^\d+$/.test(token.text) ? quote(token.text) : token.text;
}

function typeOf(
  other: SqlToken | undefined,
  before: SqlToken | undefined,
  names: ReadonlySet<string>,
): PgType | null {
  if (other === undefined || (other.kind !== 'word' && other.kind !== 'quoted')) return null;
  if (before?.text === '::') return CAST_TYPES.get(other.word) ?? null;
  if (other.word === 'current_date') return 'date';
  const name = valueOf(other);
  return names.has(name) ? null : (columnTypes.get(name) ?? null);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function refuse(type: string, value: string, sqlstate = '22P02'): never {
  throw new ConsoleError(sqlstate, `invalid input syntax for type ${type}: "${value.slice(0, 100)}"`);
}
