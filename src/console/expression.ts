// The name and the type that PostgreSQL gives to an expression of a SELECT: the engine has no booleans, and calls a column by
// the text of its expression.

import type { PgType } from './pg-types.ts';
import { closing, valueOf, type SqlToken } from './sql-tokens.ts';
import { columnTypes } from './tables.ts';

/** Types as a cast names them. */
export const CAST_TYPES: ReadonlyMap<string, PgType> = new Map<string, PgType>([
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
  ['float4', 'float8'],
  ['float', 'float8'],
  ['real', 'float8'],
  ['double', 'float8'],
  ['numeric', 'numeric'],
  ['decimal', 'numeric'],
  ['date', 'date'],
  ['timestamptz', 'timestamptz'],
  ['timestamp', 'timestamptz'],
  ['text', 'text'],
  ['varchar', 'text'],
  ['name', 'text'],
]);

/** PostgreSQL's own name of a type that has several. */
const TYPE_NAMES: ReadonlyMap<string, string> = new Map([
  ['boolean', 'bool'],
  ['int', 'int4'],
  ['integer', 'int4'],
  ['smallint', 'int2'],
  ['bigint', 'int8'],
  ['float', 'float8'],
  ['double', 'float8'],
  ['real', 'float4'],
  ['decimal', 'numeric'],
]);

/** What PostgreSQL's functions return; `first` = the type of their first argument. */
const RETURN_TYPES: ReadonlyMap<string, PgType | 'first' | 'sum' | 'average'> = new Map<
  string,
  PgType | 'first' | 'sum' | 'average'
>([
  ['pg_reload_conf', 'bool'],
  ['pg_terminate_backend', 'bool'],
  ['pg_cancel_backend', 'bool'],
  ['pg_backend_pid', 'int4'],
  ['pg_is_in_recovery', 'bool'],
  ['txid_current', 'int8'],
  ['count', 'int8'],
  ['row_number', 'int8'],
  ['rank', 'int8'],
  ['sum', 'sum'],
  ['avg', 'average'],
  ['round', 'average'],
  ['ceil', 'average'],
  ['floor', 'average'],
  ['min', 'first'],
  ['max', 'first'],
  ['abs', 'first'],
  ['coalesce', 'first'],
  ['nullif', 'first'],
  ['bool_and', 'bool'],
  ['bool_or', 'bool'],
  ['every', 'bool'],
  ['exists', 'bool'],
  ['length', 'int4'],
  ['now', 'timestamptz'],
  ['current_timestamp', 'timestamptz'],
  ['localtimestamp', 'timestamptz'],
  ['transaction_timestamp', 'timestamptz'],
  ['statement_timestamp', 'timestamptz'],
  ['clock_timestamp', 'timestamptz'],
  ['date_trunc', 'timestamptz'],
  ['current_date', 'date'],
  ['extract', 'numeric'],
  ['date_part', 'float8'],
  ['version', 'text'],
  ['current_setting', 'text'],
  ['upper', 'text'],
  ['lower', 'text'],
  ['replace', 'text'],
  ['substr', 'text'],
  ['concat', 'text'],
  ['string_agg', 'text'],
]);

export interface Expression {
  /** Null = PostgreSQL's `?column?`. */
  readonly name: string | null;
  /** Null = what it holds decides. */
  readonly type: PgType | null;
}

const NOTHING: Expression = { name: null, type: null };

/** How deep in parentheses and calls a type is looked for. */
const MAX_DEPTH = 16;

/** What makes a boolean of its operands, outside of parentheses. */
const TRUTHS =
  /^(?:and|or|not|is|isnull|notnull|in|like|ilike|between|regexp|operator|=|<>|!=|<|>|<=|>=|!?~~?\*?)$/;

const CALL = /^(?:word|quoted)$/;

/** An expression with no alias. */
export function expressionOf(tokens: readonly SqlToken[], depth = 0): Expression {
  const body = withoutParentheses(tokens);
  if (body === null || depth > MAX_DEPTH) return NOTHING;
  const marks = outerMarks(body);
  if (marks.truth) return { name: null, type: 'bool' };
  if (marks.concatenates) return { name: null, type: 'text' };
  if (marks.signs.length > 0) return { name: null, type: typeOfSum(body, marks.signs, depth) };
  if (marks.cast !== null) return castOf(body, marks.cast, depth);
  return primaryOf(body, depth);
}

/** What is inside of parentheses around the whole; null = nothing, or they are too many. */
function withoutParentheses(tokens: readonly SqlToken[]): readonly SqlToken[] | null {
  let begin = 0;
  let end = tokens.length;
  while (tokens[begin]?.text === '(' && tokens[end - 1]?.text === ')') {
    if (begin >= MAX_DEPTH) return null;
    if (closing(tokens, begin) !== end - 1) break;
    begin++;
    end--;
  }
  return begin < end ? tokens.slice(begin, end) : null;
}

interface Marks {
  truth: boolean;
  concatenates: boolean;
  /** Where arithmetic operators stand. */
  readonly signs: number[];
  /** Where the last cast stands. */
  cast: number | null;
}

/** The operators outside of every parenthesis and CASE. */
function outerMarks(tokens: readonly SqlToken[]): Marks {
  const marks: Marks = { truth: false, concatenates: false, signs: [], cast: null };
  if (isQuery(tokens)) return marks;
  let depth = 0;
  for (const [index, { kind, text, word }] of tokens.entries()) {
    if (text === ')' || word === 'end') depth--;
    if (depth === 0 && (kind === 'word' || kind === 'operator')) {
      if (TRUTHS.test(word)) marks.truth = true;
      if (text === '||') marks.concatenates = true;
      if (/^[-+*/%]$/.test(text)) marks.signs.push(index);
      if (text === '::') marks.cast = index;
    }
    if (text === '(' || word === 'case') depth++;
  }
  return marks;
}

function isQuery(tokens: readonly SqlToken[]): boolean {
  return tokens[0]?.word === 'select' || tokens[0]?.word === 'with';
}

/** The widest type of the operands; a moment and an interval are a moment. */
function typeOfSum(tokens: readonly SqlToken[], signs: readonly number[], depth: number): PgType | null {
  const types: PgType[] = [];
  for (const [index, begin] of [-1, ...signs].entries()) {
    const operand = tokens.slice(begin + 1, signs[index]);
    if (operand.length === 0 || (operand.length === 1 && operand[0]?.kind === 'parameter')) continue;
    const isInterval = operand[0]?.word === 'interval' || operand.at(-1)?.word === 'interval';
    const type = isInterval ? 'timestamptz' : expressionOf(operand, depth + 1).type;
    if (type === null) return null;
    types.push(type);
  }
  const widest = (['timestamptz', 'date', 'float8', 'numeric', 'int8', 'int4'] as const).find((each) =>
    types.includes(each),
  );
  return widest ?? (types.length === 0 ? 'int4' : null);
}

/** A cast keeps the name of what it casts, and names what has none by its type. */
function castOf(tokens: readonly SqlToken[], cast: number, depth: number): Expression {
  const at = tokens[cast + 1]?.word === 'pg_catalog' ? cast + 3 : cast + 1;
  const word = tokens[at]?.word.replaceAll('"', '') ?? '';
  const { name } = expressionOf(tokens.slice(0, cast), depth + 1);
  return { name: name ?? TYPE_NAMES.get(word) ?? word, type: CAST_TYPES.get(word) ?? null };
}

function primaryOf(tokens: readonly SqlToken[], depth: number): Expression {
  const [first] = tokens;
  if (first === undefined) return NOTHING;
  if (isQuery(tokens)) {
    const [item = []] = selectItems(tokens);
    const { alias, body } = withoutAlias(item);
    const inner = expressionOf(body, depth + 1);
    return { name: alias ?? inner.name, type: inner.type };
  }
  if (first.word === 'case') return { name: 'case', type: typeOfCase(tokens, depth) };
  if (tokens.length === 1) return single(first);
  // A name may have its table and its schema before it.
  const at = lastOfName(tokens);
  const last = tokens[at];
  if (last === undefined) return NOTHING;
  if (at === tokens.length - 1) return { name: valueOf(last), type: columnTypes.get(valueOf(last)) ?? null };
  if (tokens[at + 1]?.text !== '(' || !CALL.test(last.kind)) return NOTHING;
  const args = tokens.slice(at + 2, closing(tokens, at + 1));
  return { name: last.word, type: typeOfCall(last.word, args, depth) };
}

function single(token: SqlToken): Expression {
  const { kind, text, word } = token;
  switch (kind) {
    case 'number':
      return { name: null, type: typeOfNumber(text) };
    case 'string':
      return { name: null, type: 'text' };
    case 'word':
    case 'quoted': {
      if (word === 'true' || word === 'false') return { name: null, type: 'bool' };
      if (word === 'null') return { name: null, type: null };
      const named = RETURN_TYPES.get(word);
      const isFunction = named !== undefined && word.startsWith('current_');
      const type = isFunction ? named : columnTypes.get(valueOf(token));
      return { name: valueOf(token), type: isPlain(type) ? type : null };
    }
    case 'parameter':
    case 'operator':
    case 'mark':
      return NOTHING;
    default:
      return kind satisfies never;
  }
}

function isPlain(type: PgType | 'first' | 'sum' | 'average' | undefined): type is PgType {
  return type !== undefined && type !== 'first' && type !== 'sum' && type !== 'average';
}

function typeOfNumber(text: string): PgType {
  if (!/^\d+$/.test(text)) return 'numeric';
  if (Number(text) < 2 ** 31) return 'int4';
  return text.length < 19 || BigInt(text) < 2n ** 63n ? 'int8' : 'numeric';
}

/** The last word of `a.b.c` at the beginning. */
function lastOfName(tokens: readonly SqlToken[]): number {
  let at = 0;
  while (tokens[at + 1]?.text === '.') at += 2;
  return at;
}

function typeOfCall(name: string, args: readonly SqlToken[], depth: number): PgType | null {
  const known = RETURN_TYPES.get(name) ?? null;
  if (known === null || (known !== 'first' && known !== 'sum' && known !== 'average')) return known;
  const list = split(args);
  const [{ type } = NOTHING] = list
    .map((each) => expressionOf(each[0]?.word === 'distinct' ? each.slice(1) : each, depth + 1))
    .filter((each) => each.type !== null);
  if (known === 'first') return type;
  if (known === 'sum' && type === 'int4') return 'int8';
  const isInteger = type === 'int4' || type === 'int8';
  // round(int4) is that of a float8; avg(int4) has digits behind the point.
  if (isInteger && known === 'average' && name !== 'avg' && list.length === 1) return 'float8';
  return type === 'float8' ? 'float8' : type === null ? null : 'numeric';
}

/** The first branch that has a type. */
function typeOfCase(tokens: readonly SqlToken[], depth: number): PgType | null {
  let begin = -1;
  let level = 0;
  for (const [index, { text, word }] of tokens.entries()) {
    if (text === ')' || (word === 'end' && level > 1)) level--;
    else if (level === 1 && begin !== -1 && /^(?:when|else|end)$/.test(word)) {
      const { type } = expressionOf(tokens.slice(begin, index), depth + 1);
      if (type !== null) return type;
      begin = -1;
    }
    if (level === 1 && (word === 'then' || word === 'else')) begin = index + 1;
    if (text === '(' || word === 'case') level++;
  }
  return null;
}

/** What commas separate outside of every parenthesis. */
function split(tokens: readonly SqlToken[]): SqlToken[][] {
  const parts: SqlToken[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token.text === '(') depth++;
    if (token.text === ')') depth--;
    if (depth === 0 && token.text === ',') parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts;
}

/** The expressions between SELECT and FROM; behind a WITH, those of the statement itself. */
export function selectItems(tokens: readonly SqlToken[]): SqlToken[][] {
  let depth = 0;
  let begin = -1;
  for (const [index, { text, word }] of tokens.entries()) {
    if (text === '(') depth++;
    if (text === ')') depth--;
    if (depth !== 0) continue;
    if (begin === -1 && word === 'select') begin = index + 1;
    else if (begin !== -1 && /^(?:from|union|intersect|except|where|limit|order|group|having)$/.test(word))
      return split(tokens.slice(begin, index)).map(withoutDistinct);
  }
  return begin === -1 ? [] : split(tokens.slice(begin)).map(withoutDistinct);
}

function withoutDistinct(item: SqlToken[], index: number): SqlToken[] {
  return index === 0 && /^(?:distinct|all)$/.test(item[0]?.word ?? '') ? item.slice(1) : item;
}

/** Words that an expression may end with and that are no alias. */
const NO_ALIAS = /^(?:end|null|true|false|isnull|notnull|unknown|zone|precision|varying)$/;

/** An expression, and the name that the statement gives it. */
export function withoutAlias(item: readonly SqlToken[]): {
  readonly alias: string | null;
  readonly body: readonly SqlToken[];
} {
  const [before, last] = [item.at(-2), item.at(-1)];
  if (last === undefined || before === undefined || !CALL.test(last.kind)) return { alias: null, body: item };
  if (before.word === 'as') return { alias: valueOf(last), body: item.slice(0, -2) };
  const isOperand = before.text === ')' || !['operator', 'mark'].includes(before.kind);
  const isWord = before.kind === 'word' && (TRUTHS.test(before.word) || item.length < 2);
  if (!isOperand || isWord || NO_ALIAS.test(last.word) || before.word === 'distinct')
    return { alias: null, body: item };
  return { alias: valueOf(last), body: item.slice(0, -1) };
}
