// A SELECT as a person or a driver writes it for PostgreSQL, turned into one that the engine runs: casts, regular
// expressions, intervals and the catalogue's schema.

import { withNamedValues } from './named-values.ts';
import { ConsoleError } from './console-error.ts';
import { EngineSql } from './engine-sql.ts';
import { normalTimestamp, type PgType } from './pg-types.ts';
import { COLUMN_TYPES } from './result-types.ts';
import { valueOf, type SqlToken } from './sql-tokens.ts';

const COMPARISON = /^(?:=|<>|!=|<|>|<=|>=|between|and)$/i;

/** Words that PostgreSQL reads as functions without parentheses. */
const WORD_FUNCTIONS = new Set([
  'current_user',
  'session_user',
  'current_role',
  'current_catalog',
  'current_schema',
  'user',
]);

/** How the engine stores what PostgreSQL's type names mean. */
const AFFINITIES: ReadonlyMap<string, string> = new Map([
  ['text', 'TEXT'],
  ['varchar', 'TEXT'],
  ['name', 'TEXT'],
  ['regclass', 'TEXT'],
  ['int', 'INTEGER'],
  ['int2', 'INTEGER'],
  ['int4', 'INTEGER'],
  ['int8', 'INTEGER'],
  ['integer', 'INTEGER'],
  ['bigint', 'INTEGER'],
  ['smallint', 'INTEGER'],
  ['oid', 'INTEGER'],
  ['float8', 'REAL'],
  ['float', 'REAL'],
  ['real', 'REAL'],
  ['numeric', 'NUMERIC'],
]);

const REGULAR_EXPRESSIONS: ReadonlyMap<string, string> = new Map([
  ['~', 'REGEXP'],
  ['!~', 'NOT REGEXP'],
  ['~*', "REGEXP '(?i)' ||"],
  ['!~*', "NOT REGEXP '(?i)' ||"],
]);

/** The statement for the engine. */
export function toEngineSql(statement: readonly SqlToken[]): string {
  const tokens = withNamedValues(statement);
  const out = new EngineSql();
  for (let index = 0; index < tokens.length;) index = translate(tokens, index, out);
  return out.toString();
}

/** Appends what token `index` becomes; returns the index of the token to go on with. */
function translate(tokens: readonly SqlToken[], index: number, out: EngineSql): number {
  const token = tokens[index];
  if (token === undefined) return index + 1;
  const next = tokens[index + 1];
  const { word } = token;
  if (word === 'pg_catalog' && next?.text === '.') return index + 2;
  if (word === 'collate') return index + (tokens[index + 2]?.text === '.' ? 4 : 2);
  if (word === 'operator' && next?.text === '(') return translateNamedOperator(tokens, index, out);
  if (token.text === '::') return translateCast(tokens, index, out);
  const matching = token.kind === 'operator' ? REGULAR_EXPRESSIONS.get(word) : undefined;
  if (matching !== undefined) {
    out.push(matching);
    return index + 1;
  }
  if (word === '-') demandNoMoment(tokens, index);
  if (/^[+-]$/.test(word) && next?.word === 'interval' && tokens[index + 2]?.kind === 'string') {
    out.wrap('add_interval(', `, '${word}', ${tokens[index + 2]?.text ?? "''"})`);
    return index + 3;
  }
  if (/^[+-]$/.test(word) && isCastToInterval(tokens, index + 1)) {
    out.wrap('add_interval(', `, '${word}', ${next?.text ?? "''"})`);
    return index + 4;
  }
  if (token.kind === 'string' && COMPARISON.test(tokens[index - 1]?.text ?? '')) {
    // The engine compares moments as texts, so all of them have to have one form.
    const moment = normalTimestamp(valueOf(token));
    const truth = isColumnOf(tokens[index - 2], 'bool') ? truthOf(valueOf(token)) : null;
    out.push(truth ?? (moment === null ? token.text : `'${moment}'`));
    return index + 1;
  }
  if (WORD_FUNCTIONS.has(word) && token.kind === 'word' && next?.text !== '(') {
    out.push(`${word}()`);
    return index + 1;
  }
  out.push(word === 'ilike' ? 'MATCH' : token.text);
  return index + 1;
}

/** `'1 hour'::interval` or `$1::interval`. */
function isCastToInterval(tokens: readonly SqlToken[], at: number): boolean {
  const isText = tokens[at]?.kind === 'string' || tokens[at]?.kind === 'parameter';
  return isText && tokens[at + 1]?.text === '::' && tokens[at + 2]?.word === 'interval';
}

function isColumnOf(token: SqlToken | undefined, type: PgType): boolean {
  return token !== undefined && COLUMN_TYPES.get(token.word.replaceAll('"', '')) === type;
}

/** A boolean as PostgreSQL reads it, as the engine has it: `ssl = 't'` would be true of no row otherwise. */
function truthOf(text: string): '0' | '1' | null {
  const word = text.trim().toLowerCase();
  if (/^(?:t|tr|tru|true|y|ye|yes|on|1)$/.test(word)) return '1';
  return /^(?:f|fa|fal|fals|false|n|no|of|off|0)$/.test(word) ? '0' : null;
}

/** Refuses `now() - backend_start`: the engine would take the first number out of either text, and say 0. */
function demandNoMoment(tokens: readonly SqlToken[], minus: number): void {
  let at = minus + 1;
  while (tokens[at + 1]?.text === '.') at += 2;
  const isNow = tokens[at]?.word === 'now' || tokens[at]?.word === 'current_timestamp';
  if (!isNow && !isColumnOf(tokens[at], 'timestamptz')) return;
  throw new ConsoleError('0A000', 'the console does not subtract one moment from another', {
    hint: "Compare them: backend_start < now() - interval '1 hour'.",
  });
}

/** `OPERATOR(pg_catalog.~)`. */
function translateNamedOperator(tokens: readonly SqlToken[], index: number, out: EngineSql): number {
  let end = index + 2;
  while (tokens[end] !== undefined && tokens[end]?.text !== ')') end++;
  const operator = tokens[end - 1]?.text ?? '';
  out.push(REGULAR_EXPRESSIONS.get(operator) ?? operator);
  return end + 1;
}

/** `operand::type`, where the operand has been translated already. */
function translateCast(tokens: readonly SqlToken[], index: number, out: EngineSql): number {
  let at = index + 1;
  if (tokens[at]?.word === 'pg_catalog' && tokens[at + 1]?.text === '.') at += 2;
  const type = tokens[at]?.word.replaceAll('"', '') ?? '';
  at++;
  if (tokens[at]?.text === '(') {
    while (tokens[at] !== undefined && tokens[at]?.text !== ')') at++;
    at++;
  }
  while (tokens[at]?.text === '[' || tokens[at]?.text === ']') at++;
  if (/^timestamp(?:tz)?$/.test(type)) {
    while (/^(?:with|without|time|zone)$/.test(tokens[at]?.word ?? '')) at++;
    out.wrap('timestamptz_of(', ')');
    return at;
  }
  const affinity = AFFINITIES.get(type);
  if (affinity === 'TEXT' && isColumnOf(tokens[index - 1], 'bool')) {
    out.wrap('CASE', `WHEN 1 THEN 'true' WHEN 0 THEN 'false' END`);
    return at;
  }
  if (affinity !== undefined) out.wrap('CAST(', `AS ${affinity})`);
  return at;
}
