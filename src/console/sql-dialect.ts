// A SELECT as a person or a driver writes it for PostgreSQL, turned into one that the engine runs: casts, regular
// expressions, intervals and the catalogue's schema.

import { withNamedValues } from './named-values.ts';
import { ConsoleError } from './console-error.ts';
import { withCheckedDivisors } from './divisors.ts';
import { EngineSql } from './engine-sql.ts';
import { comparisonsOf, literalText, ownNames } from './literals.ts';
import type { PgType } from './pg-types.ts';
import type { SqlToken } from './sql-tokens.ts';
import { columnTypes } from './tables.ts';

/** Words that PostgreSQL reads as functions without parentheses. */
const WORD_FUNCTIONS = new Set([
  'current_user',
  'session_user',
  'current_role',
  'current_catalog',
  'current_schema',
  'user',
]);

/** Words for a function of the engine: a moment that PostgreSQL reads without parentheses, and sums of booleans. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['current_timestamp', 'now()'],
  ['localtimestamp', 'now()'],
  ['transaction_timestamp', 'now'],
  ['statement_timestamp', 'now'],
  ['clock_timestamp', 'now'],
  ['bool_and', 'min'],
  ['every', 'min'],
  ['bool_or', 'max'],
]);

/** What casts to PostgreSQL's types are to the engine (engine-thread.ts). */
const CONVERSIONS: ReadonlyMap<string, string> = new Map([
  ['bool', 'bool_of'],
  ['boolean', 'bool_of'],
  ['int2', 'int2_of'],
  ['smallint', 'int2_of'],
  ['int', 'int4_of'],
  ['int4', 'int4_of'],
  ['integer', 'int4_of'],
  ['int8', 'int8_of'],
  ['bigint', 'int8_of'],
  ['float', 'float8_of'],
  ['float4', 'float8_of'],
  ['float8', 'float8_of'],
  ['real', 'float8_of'],
  ['double', 'float8_of'],
  ['numeric', 'numeric_of'],
  ['decimal', 'numeric_of'],
  ['date', 'date_of'],
  ['timestamp', 'timestamptz_of'],
  ['timestamptz', 'timestamptz_of'],
]);

/** Types that are text to the engine. */
const TEXTS: ReadonlySet<string> = new Set(['text', 'varchar', 'name', 'regclass']);

const REGULAR_EXPRESSIONS: ReadonlyMap<string, string> = new Map([
  ['~', 'REGEXP'],
  ['!~', 'NOT REGEXP'],
  ['~*', "REGEXP '(?i)' ||"],
  ['!~*', "NOT REGEXP '(?i)' ||"],
]);

/** The statement for the engine. */
export function toEngineSql(statement: readonly SqlToken[]): string {
  const tokens = withCheckedDivisors(withNamedValues(statement));
  const comparisons = comparisonsOf(tokens);
  const names = ownNames(tokens);
  const out = new EngineSql();
  for (let index = 0; index < tokens.length;) {
    const token = tokens[index];
    const comparison = comparisons.get(index);
    if (token !== undefined && comparison !== undefined) {
      out.push(literalText(token, comparison, names));
      index++;
    } else index = translate(tokens, index, out);
  }
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
  const moment = /^[+-]$/.test(word) && next?.kind === 'number' ? momentBefore(tokens, index) : null;
  if (moment !== null) return translateDays(tokens, index, { moment, out });
  if (/^[+-]$/.test(word) && next?.word === 'interval' && tokens[index + 2]?.kind === 'string') {
    out.wrap('add_interval(', `, '${word}', ${tokens[index + 2]?.text ?? "''"})`);
    return index + 3;
  }
  if (/^[+-]$/.test(word) && isCastToInterval(tokens, index + 1)) {
    out.wrap('add_interval(', `, '${word}', ${next?.text ?? "''"})`);
    return index + 4;
  }
  if (WORD_FUNCTIONS.has(word) && token.kind === 'word' && next?.text !== '(') {
    out.push(`${word}()`);
    return index + 1;
  }
  out.push(word === 'ilike' ? 'MATCH' : textFor(token, next));
  return index + 1;
}

/** `'1 hour'::interval` or `$1::interval`. */
function isCastToInterval(tokens: readonly SqlToken[], at: number): boolean {
  const isText = tokens[at]?.kind === 'string' || tokens[at]?.kind === 'parameter';
  return isText && tokens[at + 1]?.text === '::' && tokens[at + 2]?.word === 'interval';
}

/** What a word is to the engine. */
function textFor({ kind, word, text }: SqlToken, next: SqlToken | undefined): string {
  const other = kind === 'word' ? OTHER_NAMES.get(word) : undefined;
  return other === undefined || other.endsWith(')') === (next?.text === '(') ? text : other;
}

function isColumnOf(token: SqlToken | undefined, type: PgType): boolean {
  return token !== undefined && columnTypes.get(token.word.replaceAll('"', '')) === type;
}

/** Whether what ends before `at` is a day or a moment; null = neither. */
function momentBefore(tokens: readonly SqlToken[], at: number): 'date' | 'timestamptz' | null {
  const [second, last] = [tokens[at - 2], tokens[at - 1]];
  if (last?.word === 'current_date' || (last?.word === 'date' && second?.text === '::')) return 'date';
  const isNow = last?.text === ')' && second?.text === '(' && tokens[at - 3]?.word === 'now';
  const isMoment = isNow || last?.word === 'current_timestamp' || isColumnOf(last, 'timestamptz');
  return isMoment ? 'timestamptz' : null;
}

/** `current_date - 7`, where the day has been translated already. The engine would take the year off it, and subtract. */
function translateDays(
  tokens: readonly SqlToken[],
  index: number,
  { moment, out }: { readonly moment: 'date' | 'timestamptz'; readonly out: EngineSql },
): number {
  const [sign, days] = [tokens[index]?.text ?? '', tokens[index + 1]?.text ?? ''];
  if (moment === 'date') {
    out.wrap('add_days(', `, '${sign}', ${days})`);
    return index + 2;
  }
  throw new ConsoleError('42883', `operator does not exist: timestamp with time zone ${sign} integer`, {
    hint: "Add an interval: now() - interval '1 hour'.",
  });
}

/** Refuses `now() - backend_start`: the engine would take the first number out of either text, and say 0. */
function demandNoMoment(tokens: readonly SqlToken[], minus: number): void {
  let at = minus + 1;
  while (tokens[at + 1]?.text === '.') at += 2;
  const isNow = /^(?:now|current_timestamp|current_date)$/.test(tokens[at]?.word ?? '');
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
  let scale = '';
  if (tokens[at]?.text === '(') {
    scale = tokens[at + 2]?.text === ',' ? `, ${tokens[at + 3]?.text ?? '0'}` : ', 0';
    while (tokens[at] !== undefined && tokens[at]?.text !== ')') at++;
    at++;
  }
  while (/^(?:\[|\]|precision|varying|with|without|time|zone)$/.test(tokens[at]?.text.toLowerCase() ?? ''))
    at++;
  const conversion = CONVERSIONS.get(type);
  if (conversion !== undefined) out.wrap(`${conversion}(`, conversion === 'numeric_of' ? `${scale})` : ')');
  if (type === 'oid') out.wrap('CAST(', 'AS INTEGER)');
  if (!TEXTS.has(type)) return at;
  const before = tokens[index - 1];
  const isTruth = isColumnOf(before, 'bool') || /^(?:true|false)$/.test(before?.word ?? '');
  if (isTruth) out.wrap('CASE', `WHEN 1 THEN 'true' WHEN 0 THEN 'false' END`);
  else out.wrap('CAST(', 'AS TEXT)');
  return at;
}
