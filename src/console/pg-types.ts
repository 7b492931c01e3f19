// The types that the console's columns have, as PostgreSQL numbers and writes them, in text and in binary.

import type { Format } from '../protocol/query/bind.ts';

/** A value in the engine. Booleans are 0 and 1, times are texts that sort as they pass. */
export type SqlValue = string | number | bigint | null;

export type PgType = 'bool' | 'int4' | 'int8' | 'float8' | 'numeric' | 'text' | 'date' | 'timestamptz';

/** OID in pg_type and size in bytes (-1 = it varies). */
export const pgTypes: Readonly<Record<PgType, { readonly oid: number; readonly size: number }>> = {
  bool: { oid: 16, size: 1 },
  int8: { oid: 20, size: 8 },
  int4: { oid: 23, size: 4 },
  text: { oid: 25, size: -1 },
  float8: { oid: 701, size: 8 },
  date: { oid: 1082, size: 4 },
  timestamptz: { oid: 1184, size: 8 },
  numeric: { oid: 1700, size: -1 },
};

/** OIDs of parameters that are read as one of ours: int2, oid, varchar, name, float4, unknown and timestamp. */
const alike: Readonly<Record<number, PgType>> = {
  18: 'text',
  19: 'text',
  21: 'int4',
  26: 'int8',
  700: 'float8',
  705: 'text',
  1042: 'text',
  1043: 'text',
  1114: 'timestamptz',
};

/** The type with an OID; null = the console does not know it. */
export function typeOfOid(oid: number): PgType | null {
  for (const type of Object.keys(pgTypes)) {
    if (isPgType(type) && pgTypes[type].oid === oid) return type;
  }
  return alike[oid] ?? null;
}

/** A type as PostgreSQL's format_type writes it. */
export function typeName(oid: number): string {
  const type = typeOfOid(oid);
  return type === null ? '???' : NAMES[type];
}

const NAMES: Readonly<Record<PgType, string>> = {
  bool: 'boolean',
  int4: 'integer',
  int8: 'bigint',
  float8: 'double precision',
  numeric: 'numeric',
  text: 'text',
  date: 'date',
  timestamptz: 'timestamp with time zone',
};

export function isPgType(name: string): name is PgType {
  return Object.hasOwn(pgTypes, name);
}

/** A moment as the engine keeps it, in UTC, as PostgreSQL writes one with DateStyle ISO. */
export function timestampText(at: Date): string {
  return at.toISOString().replace('T', ' ').replace('Z', '+00');
}

/**
 * A moment as people and drivers write it: `2026-01-31`, `2026-01-31 12:00`, `2026-01-31T12:00:00.123456+02:00`; UTC
 * where no zone is named.
 *
 * @returns milliseconds since 1970, or null where it is none
 */
export function parseTimestamp(text: string): number | null {
  // The blanks are taken off first: two runs of them in the pattern would share a megabyte in every way there is.
  const match =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/i.exec(
      text.trim(),
    );
  if (match === null) return null;
  const [, day, minute = '00:00', second = ':00', fraction = '0', zone = 'Z'] = match;
  const offset = /^(?:Z|UTC)$/i.test(zone)
    ? 'Z'
    : `${zone.replace(':', '')}00`.replace(/^(.\d\d)(\d\d).*$/, '$1:$2');
  const at = Date.parse(`${day}T${minute}${second}.${fraction.slice(0, 3).padEnd(3, '0')}${offset}`);
  return Number.isNaN(at) ? null : at;
}

/** Days from today that PostgreSQL has a word for. */
const DAYS: ReadonlyMap<string, number> = new Map([
  ['yesterday', -1],
  ['today', 0],
  ['tomorrow', 1],
]);

const DAY_MS = 86_400_000;

/** A moment that is a word: `now`, `today`, `epoch`, …; null where it is none. */
function momentOfWord(text: string): number | null {
  const word = text.trim().toLowerCase();
  if (word === 'now') return Date.now();
  if (word === 'epoch') return 0;
  const days = DAYS.get(word);
  return days === undefined ? null : (Math.floor(Date.now() / DAY_MS) + days) * DAY_MS;
}

/** A moment in any of those forms, or a word for one, as the engine keeps it; null where it is none. */
export function normalTimestamp(text: string): string | null {
  const at = momentOfWord(text) ?? parseTimestamp(text);
  return at === null ? null : timestampText(new Date(at));
}

/** A boolean in a text, as PostgreSQL reads it; null where it is none. */
export function truthOf(text: string): 0 | 1 | null {
  const word = text.trim().toLowerCase();
  if (/^(?:t|tr|tru|true|y|ye|yes|on|1)$/.test(word)) return 1;
  return /^(?:f|fa|fal|fals|false|n|no|of|off|0)$/.test(word) ? 0 : null;
}

/** Milliseconds from 1970 to 2000, where PostgreSQL's binary times begin. */
const POSTGRES_EPOCH_MS = 946_684_800_000;

/** A result's value as the client wants it. */
export function encodeValue(value: SqlValue, type: PgType, format: Format): Buffer | null {
  if (value === null) return null;
  return format === 'text' ? Buffer.from(textOf(value, type)) : binaryOf(value, type);
}

function textOf(value: string | number | bigint, type: PgType): string {
  if (type === 'bool') return isTrue(value) ? 't' : 'f';
  return type === 'numeric' && typeof value === 'number' ? plainDigits(value) : String(value);
}

/** A numeric has no exponent. */
function plainDigits(value: number): string {
  const text = String(value);
  if (!text.includes('e')) return text;
  return Math.abs(value) >= 1 ? BigInt(value).toString() : value.toFixed(30).replace(/0+$/, '');
}

function isTrue(value: string | number | bigint): boolean {
  return typeof value === 'string' ? /^(?:t|true|1|on|yes)$/i.test(value) : Number(value) !== 0;
}

function binaryOf(value: string | number | bigint, type: PgType): Buffer {
  switch (type) {
    case 'bool':
      return Buffer.from([isTrue(value) ? 1 : 0]);
    case 'int4': {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(Number(BigInt.asIntN(32, integerOf(value))));
      return bytes;
    }
    case 'int8':
      return int64(integerOf(value));
    case 'float8': {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(Number(value));
      return bytes;
    }
    case 'timestamptz': {
      const at = parseTimestamp(String(value)) ?? POSTGRES_EPOCH_MS;
      return int64(BigInt(at - POSTGRES_EPOCH_MS) * 1000n);
    }
    case 'date': {
      const at = parseTimestamp(String(value)) ?? POSTGRES_EPOCH_MS;
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(Math.floor((at - POSTGRES_EPOCH_MS) / DAY_MS));
      return bytes;
    }
    case 'numeric':
      return numericBinary(textOf(value, type));
    case 'text':
      return Buffer.from(String(value));
    default:
      return type satisfies never;
  }
}

function integerOf(value: string | number | bigint): bigint {
  if (typeof value === 'bigint') return value;
  const number = Math.trunc(Number(value));
  return Number.isFinite(number) ? BigInt(number) : 0n;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt.asIntN(64, value));
  return bytes;
}

/** Digits to the base of 10,000, as numeric_send writes them. */
function numericBinary(text: string): Buffer {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  const [, sign = '', whole = '0', fraction = ''] = match ?? [];
  const trimmed = whole.replace(/^0+/, '');
  const before = digitGroups(trimmed.padStart(Math.ceil(trimmed.length / 4) * 4, '0'));
  const after = digitGroups(fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0'));
  const digits = [...before, ...after];
  const bytes = Buffer.alloc(8 + digits.length * 2);
  bytes.writeUInt16BE(digits.length, 0);
  bytes.writeInt16BE(before.length - 1, 2);
  bytes.writeUInt16BE(sign === '-' ? 0x4000 : 0, 4);
  bytes.writeUInt16BE(fraction.length, 6);
  digits.forEach((digit, index) => bytes.writeUInt16BE(digit, 8 + index * 2));
  return bytes;
}

function digitGroups(digits: string): number[] {
  return (digits.match(/\d{4}/g) ?? []).map(Number);
}

/** A value of each type, for asking what a statement would answer. */
export const SAMPLES: Readonly<Record<PgType, SqlValue>> = {
  bool: 1,
  int4: 1,
  int8: 1,
  float8: 1.5,
  numeric: '1',
  text: '',
  date: '2000-01-01',
  timestamptz: '2000-01-01 00:00:00.000+00',
};

/** A parameter that is not of its type: SQLSTATE 22P02 or 22P03. */
export class ParameterError extends Error {
  readonly sqlstate: string;
  constructor(sqlstate: string, message: string) {
    super(message);
    this.name = 'ParameterError';
    this.sqlstate = sqlstate;
  }
}

/**
 * A parameter as the client sent it.
 *
 * @throws ParameterError
 */
export function decodeParameter(bytes: Buffer | null, type: PgType, format: Format): SqlValue {
  if (bytes === null) return null;
  return format === 'text' ? fromText(bytes.toString(), type) : fromBinary(bytes, type);
}

function fromText(text: string, type: PgType): SqlValue {
  switch (type) {
    case 'bool': {
      const truth = truthOf(text);
      if (truth === null) throw invalid('boolean', text);
      return truth;
    }
    case 'int4':
    case 'int8':
      if (!/^\s*[+-]?\d{1,19}\s*$/.test(text)) throw invalid(type === 'int4' ? 'integer' : 'bigint', text);
      return BigInt.asIntN(64, BigInt(text.trim().replace(/^\+/, '')));
    case 'float8':
      if (text.trim() === '' || Number.isNaN(Number(text))) throw invalid('double precision', text);
      return Number(text);
    case 'timestamptz': {
      const moment = normalTimestamp(text);
      if (moment === null) throw invalid('timestamp with time zone', text, '22007');
      return moment;
    }
    case 'date': {
      const moment = normalTimestamp(text);
      if (moment === null) throw invalid('date', text, '22007');
      return moment.slice(0, 10);
    }
    case 'numeric':
      if (!/^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?\s*$/i.test(text)) throw invalid('numeric', text);
      return numericValue(text.trim());
    case 'text':
      return text;
    default:
      return type satisfies never;
  }
}

/** A number as long as the engine has all of its digits, so that it compares as one; else its digits as text. */
function numericValue(text: string): SqlValue {
  return text.replace(/\D/g, '').length > 15 ? text : Number(text);
}

function invalid(type: string, text: string, sqlstate = '22P02'): ParameterError {
  return new ParameterError(sqlstate, `invalid input syntax for type ${type}: "${text.slice(0, 100)}"`);
}

function fromBinary(bytes: Buffer, type: PgType): SqlValue {
  switch (type) {
    case 'bool':
      if (bytes.length === 1) return bytes[0] === 0 ? 0 : 1;
      break;
    case 'int4':
    case 'int8':
      if (bytes.length === 2) return bytes.readInt16BE();
      if (bytes.length === 4) return bytes.readInt32BE();
      if (bytes.length === 8) return bytes.readBigInt64BE();
      break;
    case 'float8':
      if (bytes.length === 4) return bytes.readFloatBE();
      if (bytes.length === 8) return bytes.readDoubleBE();
      break;
    case 'timestamptz':
      if (bytes.length === 8) {
        return timestampText(new Date(Number(bytes.readBigInt64BE() / 1000n) + POSTGRES_EPOCH_MS));
      }
      break;
    case 'date':
      if (bytes.length === 4) {
        return timestampText(new Date(bytes.readInt32BE() * DAY_MS + POSTGRES_EPOCH_MS)).slice(0, 10);
      }
      break;
    case 'numeric':
      return numericValue(numericText(bytes));
    case 'text':
      return bytes.toString();
    default:
      return type satisfies never;
  }
  throw new ParameterError('22P03', 'incorrect binary data format in bind parameter');
}

function numericText(bytes: Buffer): string {
  const broken = new ParameterError('22P03', 'incorrect binary data format in bind parameter');
  if (bytes.length < 8) throw broken;
  const count = bytes.readUInt16BE(0);
  const weight = bytes.readInt16BE(2);
  const scale = bytes.readUInt16BE(6);
  if (bytes.length !== 8 + count * 2 || weight > 100 || weight < -100 || scale > 400) throw broken;
  const digitAt = (group: number): string => {
    const value = group >= 0 && group < count ? bytes.readUInt16BE(8 + group * 2) : 0;
    return String(value).padStart(4, '0');
  };
  const whole = Array.from({ length: Math.max(weight + 1, 0) }, (_, group) => digitAt(group)).join('');
  const fraction = Array.from({ length: Math.ceil(scale / 4) }, (_, group) =>
    digitAt(weight + 1 + group),
  ).join('');
  const sign = bytes.readUInt16BE(4) === 0x4000 ? '-' : '';
  const tail = scale === 0 ? '' : `.${fraction.slice(0, scale)}`;
  return `${sign}${whole.replace(/^0+(?=\d)/, '') || '0'}${tail}`;
}
