// Booleans and numbers with units, read as PostgreSQL's guc.c reads them (parse_bool, parse_int,
// convert_to_base_unit), so that a value of postgresql.conf means the same here. Pure.

/** The unit a setting's number is kept in. */
export type Unit = 'ms' | 's';

/** A number as read, or why not; `hint` is PostgreSQL's, where it gives one. */
export type ParsedInteger =
  { readonly ok: true; readonly value: number } | { readonly ok: false; readonly hint?: string };

const INT_MAX = 2_147_483_647;
const INT_MIN = -2_147_483_648;
/** The smallest double that is not denormal: below it strtod reports a range error. */
const DBL_MIN = 2.2250738585072014e-308;
/** strtol's bounds; an integer beyond them is read as a floating-point number instead. */
const LONG_MAX = 2n ** 63n - 1n;

const TIME_UNITS_HINT = 'Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".';
const RANGE_HINT = 'Value exceeds integer range.';

/** Units from large to small with their length in milliseconds and in seconds. */
const timeUnits: readonly { readonly name: string; readonly ms: number; readonly s: number }[] = [
  { name: 'd', ms: 86_400_000, s: 86_400 },
  { name: 'h', ms: 3_600_000, s: 3600 },
  { name: 'min', ms: 60_000, s: 60 },
  { name: 's', ms: 1000, s: 1 },
  { name: 'ms', ms: 1, s: 1 / 1000 },
  { name: 'us', ms: 1 / 1000, s: 1 / 1_000_000 },
];

/**
 * A boolean: any unique prefix of true, false, yes, no, on, off, whatever the case, or 1 or 0 (a bare `o` is
 * ambiguous). Null when it is none; blanks around it make it none, as in PostgreSQL.
 */
export function parseBoolean(text: string): boolean | null {
  const word = text.toLowerCase();
  if (word === '1') return true;
  if (word === '0') return false;
  if (word === '' || word === 'o') return null;
  if (['true', 'yes', 'on'].some((name) => name.startsWith(word))) return true;
  if (['false', 'no', 'off'].some((name) => name.startsWith(word))) return false;
  return null;
}

/**
 * A whole number as parse_int reads it: decimal, octal (leading 0) or hexadecimal, or a fraction or exponent that
 * is rounded half to even; with a unit only when `unit` names the one the number is kept in. The result is
 * within int32; a range of the setting's own is for the caller to check.
 *
 * @param text the value as written
 * @param unit the unit of a bare number and of the result; null = the setting takes no unit
 */
export function parseInteger(text: string, unit: Unit | null = null): ParsedInteger {
  const number = readNumber(text);
  if (number === null) return { ok: false };
  let value = number.value;
  const rest = number.rest.replace(LEADING_BLANKS, '');
  if (rest !== '') {
    if (unit === null) return { ok: false };
    const converted = convert(value, rest, unit);
    if (converted === null) return { ok: false, hint: TIME_UNITS_HINT };
    value = converted;
  }
  value = roundHalfToEven(value);
  if (value > INT_MAX || value < INT_MIN) return { ok: false, hint: RANGE_HINT };
  return { ok: true, value };
}

/** C's isspace. */
const LEADING_BLANKS = /^[ \t\n\v\f\r]+/;
/** What strtol(…, 0) takes. */
const LONG = /^[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)/;
/** What strtod takes, without the words inf and nan, which parse_int never lets it see. */
const DOUBLE = /^[ \t\n\v\f\r]*([+-]?)((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/;
const HEX_DOUBLE = /^[ \t\n\v\f\r]*([+-]?)0[xX]([0-9a-fA-F]+)\.?([0-9a-fA-F]*)(?:[pP]([+-]?\d+))?/;

interface LeadingNumber {
  readonly value: number;
  readonly rest: string;
}

/** The number at the start and what follows it: strtol first, strtod where that stops at a fraction or overflows. */
function readNumber(text: string): LeadingNumber | null {
  const match = LONG.exec(text);
  const rest = text.slice(match?.[0].length ?? 0);
  const magnitude = match === null ? null : readLong(match[2] ?? '');
  if (match === null || magnitude === null || /^[.eE]/.test(rest)) return readDouble(text);
  return { value: match[1] === '-' ? -magnitude : magnitude, rest };
}

/** Null = beyond a C long. */
function readLong(digits: string): number | null {
  const octal = /^0[0-7]+$/.test(digits);
  const value = BigInt(octal ? `0o${digits.slice(1)}` : digits);
  return value > LONG_MAX ? null : Number(value);
}

/** Null where strtod takes nothing or reports ERANGE, overflow and underflow alike. */
function readDouble(text: string): LeadingNumber | null {
  const hex = HEX_DOUBLE.exec(text);
  const match = hex ?? DOUBLE.exec(text);
  if (match === null) return null;
  const value = hex === null ? Number(match[2]) : hexValue(hex);
  const isZero = !/[1-9a-f]/i.test(
    hex === null ? (match[2] ?? '').replace(/e.*$/i, '') : `${hex[2]}${hex[3]}`,
  );
  if (!isZero && !(value >= DBL_MIN && value < Infinity)) return null;
  return { value: match[1] === '-' ? -value : value, rest: text.slice(match[0].length) };
}

function hexValue(match: RegExpExecArray): number {
  const fraction = match[3] ?? '';
  const mantissa = Number(BigInt(`0x${match[2]}${fraction}`));
  return mantissa * 2 ** (Number(match[4] ?? 0) - 4 * fraction.length);
}

/** `value` given in the unit that `text` begins with, in the base unit; null = no such unit, or something after it. */
function convert(value: number, text: string, base: Unit): number | null {
  const name = text.replace(/[ \t\n\v\f\r]+$/, '');
  const index = timeUnits.findIndex((unit) => unit.name === name);
  const unit = timeUnits[index];
  if (unit === undefined) return null;
  const converted = value * unit[base];
  // A fraction is rounded to the next smaller unit, so that 1.7min is 102 s and not 102.00000000000001.
  const smaller = timeUnits[index + 1];
  return smaller === undefined ? converted : roundHalfToEven(converted / smaller[base]) * smaller[base];
}

/** C's rint in the default rounding mode, without its negative zero. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const difference = value - floor;
  if (difference < 0.5) return floor + 0;
  if (difference > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor + 0 : floor + 1;
}
