// PostgreSQL's casts and arithmetic where the engine would guess: it takes the number out of the beginning of a text, 0 where
// there is none, and answers null to a division by zero.

import { Failure } from './engine-failure.ts';
import { normalTimestamp, parseTimestamp, timestampText, truthOf } from './pg-types.ts';

/** What the engine hands to a function. Integers come as bigint, so that none is too large. */
export type EngineValue = string | number | bigint | Uint8Array | null;

const BITS = { smallint: 16, integer: 32, bigint: 64 } as const;

const DAY_MS = 86_400_000;

/** A value as text: what the gate's tables hold is text or a number. */
function textOf(value: EngineValue): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value);
}

function invalid(type: string, text: string, sqlstate = '22P02'): Failure {
  return new Failure(sqlstate, `invalid input syntax for type ${type}: "${text.slice(0, 100)}"`);
}

/** `x::integer`: rounds a number, and takes only the whole of a text. */
export function toInteger(value: EngineValue, type: keyof typeof BITS): bigint | null {
  if (value === null) return null;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Failure('22003', `${type} out of range`);
    return inRange(BigInt(Math.sign(value) * Math.round(Math.abs(value))), type);
  }
  if (typeof value === 'bigint') return inRange(value, type);
  const text = textOf(value);
  if (!/^\s*[+-]?\d{1,100}\s*$/.test(text)) throw invalid(type, text);
  return inRange(BigInt(text.trim().replace(/^\+/, '')), type);
}

function inRange(value: bigint, type: keyof typeof BITS): bigint {
  if (BigInt.asIntN(BITS[type], value) !== value) throw new Failure('22003', `${type} out of range`);
  return value;
}

/** `x::float8`. */
export function toFloat(value: EngineValue): number | null {
  if (value === null) return null;
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
  const text = textOf(value).trim();
  const number = Number(text.replace(/^([+-]?)inf(?:inity)?$/i, '$1Infinity'));
  if (text === '' || Number.isNaN(number)) throw invalid('double precision', textOf(value));
  return number;
}

/** `x::numeric` and `x::numeric(precision, scale)`; a number of more digits than the engine has stays a text. */
export function toNumeric(value: EngineValue, scale: EngineValue): EngineValue {
  if (value === null) return null;
  const text = textOf(value).trim();
  if (!/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?$/i.test(text))
    throw invalid('numeric', textOf(value));
  if (scale !== null) return Number(Number(text).toFixed(Math.min(100, Math.max(0, Number(scale)))));
  if (typeof value !== 'string') return value;
  return /^-?\d{16,}$/.test(text) ? text : Number(text);
}

/** `x::boolean`. */
export function toBoolean(value: EngineValue): number | null {
  if (value === null) return null;
  if (typeof value === 'number' || typeof value === 'bigint') return Number(Number(value) !== 0);
  const truth = truthOf(textOf(value));
  if (truth === null) throw invalid('boolean', textOf(value));
  return truth;
}

/** `x::timestamptz`. */
export function toTimestamp(value: EngineValue): string | null {
  if (value === null) return null;
  const moment = normalTimestamp(textOf(value));
  if (moment === null) throw invalid('timestamp with time zone', textOf(value), '22007');
  return moment;
}

/** `x::date`. */
export function toDate(value: EngineValue): string | null {
  if (value === null) return null;
  const moment = normalTimestamp(textOf(value));
  if (moment === null) throw invalid('date', textOf(value), '22007');
  return moment.slice(0, 10);
}

/** `date + 7`. */
export function addDays(value: EngineValue, sign: EngineValue, days: EngineValue): string | null {
  if (value === null || days === null) return null;
  const at = parseTimestamp(textOf(value));
  const later = (at ?? NaN) + (sign === '-' ? -1 : 1) * Number(days) * DAY_MS;
  if (Number.isNaN(new Date(later).getTime())) throw new Failure('22008', 'date out of range');
  return timestampText(new Date(later)).slice(0, 10);
}

/** What stands right of `/` or `%`. */
export function nonZero(value: EngineValue): EngineValue {
  if (value !== null && Number(textOf(value)) === 0) throw new Failure('22012', 'division by zero');
  return value;
}

/** Where each field begins in `2026-01-31 12:34:56.789+00`, and how long it is. */
const FIELDS: ReadonlyMap<string, readonly [begin: number, length: number]> = new Map([
  ['year', [0, 4]],
  ['month', [5, 2]],
  ['day', [8, 2]],
  ['hour', [11, 2]],
  ['minute', [14, 2]],
  ['second', [17, 6]],
]);

/** `extract(field FROM x)`. */
export function datePart(field: EngineValue, value: EngineValue): number | null {
  const moment = toTimestamp(value);
  if (moment === null || field === null) return null;
  const name = textOf(field).toLowerCase();
  if (name === 'epoch') return (parseTimestamp(moment) ?? 0) / 1_000;
  const [begin, length] = fieldOf(name);
  return Number(moment.slice(begin, begin + length));
}

/** `date_trunc(field, x)`. */
export function dateTrunc(field: EngineValue, value: EngineValue): string | null {
  const moment = toTimestamp(value);
  if (moment === null || field === null) return null;
  const name = textOf(field).toLowerCase();
  const [begin, length] = fieldOf(name);
  const end = name === 'second' ? 19 : begin + length;
  return moment.slice(0, end) + '0000-01-01 00:00:00.000+00'.slice(end);
}

function fieldOf(name: string): readonly [number, number] {
  const field = FIELDS.get(name);
  if (field !== undefined) return field;
  throw new Failure('22023', `unit "${name.slice(0, 63)}" not recognized for type timestamp with time zone`);
}
