// The backslash escapes of advanced regular expressions: characters, classes, constraints, back references.

import type { ByteString } from '../base/bytestring.ts';
import { PatternError, regerror } from './error.ts';
import type { RegexToken } from './lexer.ts';

/** An escape as a token, and how many characters after the backslash it takes. */
export interface Escape {
  readonly token: RegexToken;
  readonly length: number;
}

/** PostgreSQL's CHR_MAX: a larger code is not a character. */
const MAX_CODE = 0x7ffffffe;
/** `\xhhh…` takes any number of digits up to this. */
const MAX_DIGITS = 255;

const plain = (value: number): RegexToken => ({ kind: 'plain', value });
const classEscape = (className: string): RegexToken => ({ kind: 'class-escape', value: 0, className });
const complementEscape = (className: string): RegexToken => ({
  kind: 'class-escape-complement',
  value: 0,
  className,
});

const simple: ReadonlyMap<string, RegexToken> = new Map<string, RegexToken>([
  ['a', plain(0x07)],
  ['b', plain(0x08)],
  ['B', plain(0x5c)],
  ['e', plain(0x1b)],
  ['f', plain(0x0c)],
  ['n', plain(0x0a)],
  ['r', plain(0x0d)],
  ['t', plain(0x09)],
  ['v', plain(0x0b)],
  ['d', classEscape('digit')],
  ['s', classEscape('space')],
  ['w', classEscape('word')],
  ['D', complementEscape('digit')],
  ['S', complementEscape('space')],
  ['W', complementEscape('word')],
  ['A', { kind: 'string-start', value: 0 }],
  ['Z', { kind: 'string-end', value: 0 }],
  ['m', { kind: 'word-start', value: 0 }],
  ['M', { kind: 'word-end', value: 0 }],
  ['y', { kind: 'word-edge', value: 0 }],
  ['Y', { kind: 'not-word-edge', value: 0 }],
]);

/**
 * Reads the escape at `at`, which is just after a backslash and not the end.
 * @param groupCount how many capturing parentheses have been opened: tells `\12` the group from `\12` the newline.
 * @throws PatternError for an escape that does not exist.
 */
export function readEscape(source: ByteString, at: number, groupCount: number): Escape {
  const letter = source[at]!;
  if (!/[a-zA-Z0-9]/.test(letter)) return { token: plain(letter.charCodeAt(0)), length: 1 };
  const known = simple.get(letter);
  if (known !== undefined) return { token: known, length: 1 };
  switch (letter) {
    case 'c':
      if (at + 1 >= source.length) throw new PatternError(regerror.escape);
      return { token: plain(source.charCodeAt(at + 1) & 0x1f), length: 2 };
    case 'u':
      return readHex(source, at + 1, 4, 4);
    case 'U':
      return readHex(source, at + 1, 8, 8);
    case 'x':
      return readHex(source, at + 1, 1, MAX_DIGITS);
    default:
      return readNumber(source, at, groupCount);
  }
}

function readHex(source: ByteString, at: number, least: number, most: number): Escape {
  const digits = digitsAt(source, at, /[0-9a-fA-F]*/y, most);
  // Like PostgreSQL's 32-bit arithmetic: of too many digits only the last eight count.
  const code = parseInt(`0${digits.slice(-8)}`, 16);
  if (digits.length < least || code > MAX_CODE) throw new PatternError(regerror.escape);
  return { token: plain(code), length: 1 + digits.length };
}

/** `\1` to `\9`, and a longer number if there is such a group, refer back; other digits are an octal code. */
function readNumber(source: ByteString, at: number, groupCount: number): Escape {
  const decimal = digitsAt(source, at, /[1-9][0-9]*/y, MAX_DIGITS);
  const group = Number(decimal);
  if (decimal.length === 1 || (group > 0 && group <= groupCount)) {
    return { token: { kind: 'back-reference', value: group }, length: decimal.length };
  }
  let octal = digitsAt(source, at, /[0-7]*/y, 3);
  if (octal === '') throw new PatternError(regerror.escape);
  if (parseInt(octal, 8) > 0xff) octal = octal.slice(0, 2);
  return { token: plain(parseInt(octal, 8)), length: octal.length };
}

function digitsAt(source: ByteString, at: number, digits: RegExp, most: number): string {
  digits.lastIndex = at;
  return (digits.exec(source)?.[0] ?? '').slice(0, most);
}
