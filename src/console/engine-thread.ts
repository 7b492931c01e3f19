// The engine: SQLite in memory, in a thread of its own process, so that the process hears of the gate's end whatever a
// statement does, and so that the thread's memory has a limit.

import { constants, DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';
import { fromText, toBytes } from '../base/bytestring.ts';
import { compilePattern, type Pattern } from '../regex/pattern.ts';
import {
  addDays,
  datePart,
  dateTrunc,
  nonZero,
  toBoolean,
  toDate,
  toFloat,
  toInteger,
  toNumeric,
  toTimestamp,
  type EngineValue,
} from './conversions.ts';
import { Failure } from './engine-failure.ts';
import {
  ACTIONS,
  ARGUMENTS,
  MAX_RESULT_BYTES,
  MAX_RESULT_ROWS,
  type EngineRequest,
  type EngineResponse,
} from './engine-messages.ts';
import { isLike, LikePatternError } from './like.ts';
import { catalogTables } from './catalog.ts';
import { typeName, parseTimestamp, timestampText, type SqlValue } from './pg-types.ts';

/** Most memory that SQLite may take, in bytes: a statement that wants more ends with an error. */
const HEAP_LIMIT = 128 * 1024 * 1024;

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
parentPort?.on('message', (request: EngineRequest) => parentPort?.postMessage(answer(request)));

function answer(request: EngineRequest): EngineResponse {
  const database = new DatabaseSync(':memory:', { allowExtension: false });
  try {
    return run(database, request);
  } catch (error) {
    return { kind: 'error', ...describeError(error) };
  } finally {
    database.close();
  }
}

function run(database: DatabaseSync, request: EngineRequest): EngineResponse {
  database.exec(`PRAGMA hard_heap_limit=${HEAP_LIMIT}; PRAGMA temp_store=memory`);
  fill(database, request.tables);
  const calls = new Set<string>();
  defineFunctions(database, request, calls);
  // SECURITY: from here on a statement may read and nothing else: no ATTACH, no PRAGMA, no file.
  database.setAuthorizer((action, table, name) =>
    mayDo(action, table, name) ? constants.SQLITE_OK : constants.SQLITE_DENY,
  );
  const statement = database.prepare(request.sql);
  statement.setReturnArrays(true);
  statement.setReadBigInts(true);
  statement.setAllowUnknownNamedParameters(true);
  const columns = statement.columns().map(({ name, type }) => ({ name, type: typeOfDeclared(type) }));
  const parameters = Object.fromEntries(request.parameters.map((value, index) => [`$${index + 1}`, value]));
  const rows: SqlValue[][] = [];
  let bytes = 0;
  for (const row of rowsOf(statement, parameters, request)) {
    const values = rowValues(row);
    bytes += values.reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 8), 0);
    if (rows.length === MAX_RESULT_ROWS || bytes > MAX_RESULT_BYTES) throw new TooLarge();
    rows.push(values);
  }
  return { kind: 'rows', columns, rows, calls: [...calls] };
}

/** A statement that is described has samples for parameters: that it fails with them says nothing. */
function* rowsOf(
  statement: StatementSync,
  parameters: Record<string, SqlValue>,
  { describes }: EngineRequest,
): Generator {
  if (!describes) {
    yield* statement.iterate(parameters);
    return;
  }
  try {
    const first = statement.iterate(parameters).next();
    if (first.done !== true) yield first.value;
  } catch {
    // Its columns are known all the same.
  }
}

class TooLarge extends Error {}

/** SQLite's values as ours; a blob, which no table holds, as text. */
function rowValues(row: unknown): SqlValue[] {
  return Array.isArray(row) ? row.map(sqlValue) : [];
}

function sqlValue(value: unknown): SqlValue {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : null;
}

function fill(database: DatabaseSync, tables: EngineRequest['tables']): void {
  database.exec('BEGIN');
  for (const { name, columns, rows } of [...catalogTables, ...tables]) {
    const declared = columns.map(({ name: column, type }) => `"${column}" ${declaredType(type)}`).join(', ');
    database.exec(`CREATE TABLE "${name}" (${declared})`);
    if (rows.length === 0) continue;
    const insert = database.prepare(`INSERT INTO "${name}" VALUES (${columns.map(() => '?').join(', ')})`);
    for (const row of rows) insert.run(...row);
  }
  database.exec('COMMIT');
}

/** A column of type numeric keeps its digits as text: a number of SQLite's has 15 of them, a serial up to 49. */
const DIGITS = 'text_digits';

function declaredType(type: string): string {
  return type === 'numeric' ? DIGITS : type;
}

function typeOfDeclared(declared: string | null): string | null {
  const type = declared?.toLowerCase() ?? null;
  return type === DIGITS ? 'numeric' : type;
}

function mayDo(action: number, table: string | null, name: string | null): boolean {
  switch (action) {
    case constants.SQLITE_SELECT:
    case constants.SQLITE_RECURSIVE:
      return true;
    case constants.SQLITE_READ:
      return !/^(?:sqlite_|pragma_|dbstat)/i.test(table ?? '');
    case constants.SQLITE_FUNCTION:
      // These allocate what a few bytes ask for, or look into the engine.
      return !/^(?:load_extension|randomblob|zeroblob|sqlite_.*)$/i.test(name ?? '');
    default:
      return false;
  }
}

function defineFunctions(database: DatabaseSync, request: EngineRequest, calls: Set<string>): void {
  const now = timestampText(new Date());
  for (const [name, value] of Object.entries(request.constants)) database.function(name, () => value);
  database.function('now', () => now);
  database.function('format_type', { varargs: true }, (oid) => typeName(Number(oid)));
  defineConversions(database);
  database.function('add_interval', (at, sign, text) => addInterval(String(at), String(sign), String(text)));
  const settings = new Map(Object.entries(request.settings));
  database.function('current_setting', { varargs: true }, (name, missingOk) => {
    const value = settings.get(String(name).toLowerCase());
    if (value === undefined && !Number(missingOk ?? 0)) {
      throw new Failure('42704', `unrecognized configuration parameter "${String(name)}"`);
    }
    return value ?? null;
  });
  const patterns = new Map<string, Pattern>();
  database.function('regexp', (pattern, subject) =>
    subject === null || pattern === null ? null : Number(matches(patterns, String(pattern), String(subject))),
  );
  defineLike(database, 'like', (text) => text);
  defineLike(database, 'match', (text) => text.toLowerCase());
  for (const name of ACTIONS) {
    database.function(name, { varargs: true }, (...args) => {
      const [least, most] = ARGUMENTS[name];
      if (args.length < least || args.length > most) throw unknownFunction(name);
      if (args.includes(null)) return null;
      const call = `${name}(${args.map(integerOf).join(',')})`;
      const result = request.done[call];
      if (result === undefined) calls.add(call);
      return result ?? 0;
    });
  }
}

/** What casts and arithmetic are written as (sql-dialect.ts, divisors.ts). */
function defineConversions(database: DatabaseSync): void {
  const define = (name: string, convert: (...values: readonly EngineValue[]) => EngineValue): void =>
    database.function(name, { useBigIntArguments: true, varargs: true }, (...values) => convert(...values));
  define('int2_of', (value = null) => toInteger(value, 'smallint'));
  define('int4_of', (value = null) => toInteger(value, 'integer'));
  define('int8_of', (value = null) => toInteger(value, 'bigint'));
  define('float8_of', (value = null) => toFloat(value));
  define('numeric_of', (value = null, scale = null) => toNumeric(value, scale));
  define('bool_of', (value = null) => toBoolean(value));
  define('timestamptz_of', (value = null) => toTimestamp(value));
  define('date_of', (value = null) => toDate(value));
  define('add_days', (value = null, sign = null, days = null) => addDays(value, sign, days));
  define('nonzero', (value = null) => nonZero(value));
  define('date_part', (field = null, value = null) => datePart(field, value));
  define('date_trunc', (field = null, value = null) => dateTrunc(field, value));
}

/** The engine's operators LIKE and MATCH; ILIKE comes as the second. */
function defineLike(database: DatabaseSync, name: 'like' | 'match', fold: (text: string) => string): void {
  const like = (pattern: EngineValue, subject: EngineValue, escape: EngineValue): number | null =>
    pattern === null || subject === null || escape === null
      ? null
      : Number(isLike(fold(String(subject)), fold(String(pattern)), fold(String(escape))));
  // The engine has its own for each number of arguments, and only the same number takes their place.
  database.function(name, (pattern, subject) => like(pattern, subject, '\\'));
  database.function(name, (pattern, subject, escape) => like(pattern, subject, escape));
}

function unknownFunction(name: string): Failure {
  return new Failure('42883', `function ${name} does not exist`);
}

/** An argument that is an integer to PostgreSQL, as its digits; the second is a time to wait, and not below 0. */
function integerOf(value: EngineValue, index: number): string {
  const text = String(value).trim();
  if (!/^-?\d+$/.test(text)) {
    throw new Failure('22P02', `invalid input syntax for type integer: "${String(value)}"`);
  }
  if (index === 1 && text.startsWith('-')) throw new Failure('22003', '"timeout" must not be negative');
  return text;
}

/** PostgreSQL's regular expressions on bytes, in linear time, as the rules match them. */
function matches(known: Map<string, Pattern>, pattern: string, subject: string): boolean {
  let compiled = known.get(pattern);
  if (compiled === undefined) known.set(pattern, (compiled = compilePattern(fromText(pattern))));
  return compiled.test(toBytes(fromText(subject)).toString('latin1'));
}

const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['msec', 1],
  ['millisecond', 1],
  ['s', 1_000],
  ['second', 1_000],
  ['sec', 1_000],
  ['m', 60_000],
  ['minute', 60_000],
  ['min', 60_000],
  ['h', 3_600_000],
  ['hr', 3_600_000],
  ['hour', 3_600_000],
  ['d', 86_400_000],
  ['day', 86_400_000],
  ['w', 604_800_000],
  ['week', 604_800_000],
]);

/** A moment, and so much later or earlier: `1 hour`, `7 days`, `01:30:00`. */
function addInterval(at: string, sign: string, text: string): string {
  let ms = 0;
  let rest = text.trim().replace(/(-?)(\d+):(\d{2})(?::(\d{2}))?/, (_all, minus, hours, minutes, seconds) => {
    const value = (Number(hours) * 60 + Number(minutes)) * 60_000 + Number(seconds ?? 0) * 1_000;
    ms += minus === '-' ? -value : value;
    return '';
  });
  rest = rest.replace(/(-?\d+(?:\.\d+)?)\s*([a-z]+)(?=\s|$|-?\d)/gi, (all, amount, unit) => {
    const word = String(unit).toLowerCase();
    const unitMs = UNITS_MS.get(word) ?? UNITS_MS.get(word.replace(/s$/, ''));
    if (unitMs === undefined) return all;
    ms += Number(amount) * unitMs;
    return '';
  });
  if (rest.trim() !== '') throw new Failure('22007', `invalid input syntax for type interval: "${text}"`);
  const moment = parseTimestamp(at);
  if (moment === null)
    throw new Failure('22007', `invalid input syntax for type timestamp with time zone: "${at}"`);
  return timestampText(new Date(moment + (sign === '-' ? -ms : ms)));
}

/** SQLite's message in PostgreSQL's words, with its SQLSTATE. */
function describeError(error: unknown): { readonly sqlstate: string; readonly message: string } {
  if (error instanceof TooLarge) {
    return {
      sqlstate: '54000',
      message: `the result is larger than ${MAX_RESULT_ROWS} rows or ${MAX_RESULT_BYTES} bytes`,
    };
  }
  if (error instanceof Failure || error instanceof LikePatternError) {
    return { sqlstate: error.sqlstate, message: error.message };
  }
  const text = error instanceof Error ? error.message : String(error);
  for (const [pattern, sqlstate, message] of MESSAGES) {
    const match = pattern.exec(text);
    if (match !== null) return { sqlstate, message: message.replace('%s', () => match[1] ?? '') };
  }
  return { sqlstate: '0A000', message: text };
}

const MESSAGES: readonly (readonly [RegExp, string, string])[] = [
  [/^no such table: (?:\w+\.)?(.+)$/, '42P01', 'relation "%s" does not exist'],
  [/^no such column: (.+\..+)$/, '42703', 'column %s does not exist'],
  [/^no such column: (.+)$/, '42703', 'column "%s" does not exist'],
  [/^ambiguous column name: (.+)$/, '42702', 'column reference "%s" is ambiguous'],
  [/^no such function: (.+)$/, '42883', 'function %s does not exist'],
  [/^wrong number of arguments to function (.+)$/, '42883', 'function %s does not exist'],
  [/^near "(.*)": syntax error$/s, '42601', 'syntax error at or near "%s"'],
  [/^incomplete input/, '42601', 'syntax error at end of input'],
  [/^unrecognized token: "(.*)"$/s, '42601', 'syntax error at or near "%s"'],
  [/^(?:not authorized|access to .* is prohibited)/, '42501', 'the console only reads'],
  [/out of memory/, '53200', 'out of memory'],
  [/^(?:Recursion limit|Expression tree is too large)/, '54001', 'stack depth limit exceeded'],
  [/^(parser stack overflow|too many|string or blob too big)/, '54000', 'the statement is too complex'],
];
