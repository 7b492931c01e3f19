// Sets of bytes: what one atom of a regular expression can match, with the C locale's classes and PostgreSQL's
// names for single characters.

import { PatternError, regerror } from './error.ts';

/** 256 flags, one for each byte value. */
export type ByteSet = Uint8Array;

export const NEWLINE = 0x0a;

/** The set of the code points that pass the test; those above 255 are not bytes and match nothing. */
function bytesWhere(test: (byte: number) => boolean): ByteSet {
  const set = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) if (test(byte)) set[byte] = 1;
  return set;
}

/** All bytes from `first` to `last`, which may lie beyond 255 (`\u1234`): the part that is bytes. */
export function byteRange(first: number, last: number): ByteSet {
  return new Uint8Array(256).fill(1, first, last + 1);
}

/** Everything that is not in the set. */
export function complement(set: ByteSet): ByteSet {
  return bytesWhere((byte) => set[byte] === 0);
}

/** Adds one set to another, in place. */
export function addBytes(to: ByteSet, from: ByteSet): void {
  for (let byte = 0; byte < 256; byte++) to[byte]! |= from[byte]!;
}

/** Everything that is in one of the sets. */
export function unionOf(sets: readonly ByteSet[]): ByteSet {
  const union = new Uint8Array(256);
  for (const set of sets) addBytes(union, set);
  return union;
}

/** The set with the other case of each of its ASCII letters. */
export function withBothCases(set: ByteSet): ByteSet {
  return bytesWhere((byte) => set[byte] === 1 || (isAlpha(byte) && set[byte ^ 0x20] === 1));
}

const isUpper = (byte: number): boolean => byte >= 0x41 && byte <= 0x5a;
const isLower = (byte: number): boolean => byte >= 0x61 && byte <= 0x7a;
const isAlpha = (byte: number): boolean => isUpper(byte) || isLower(byte);
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isAlnum = (byte: number): boolean => isAlpha(byte) || isDigit(byte);
const isGraph = (byte: number): boolean => byte > 0x20 && byte < 0x7f;

/** C's isspace in the C locale. */
export const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
/** What PostgreSQL takes for a part of a word: letters, digits and the underscore. */
export const isWord = (byte: number): boolean => isAlnum(byte) || byte === 0x5f;
export const isAsciiAlpha = isAlpha;
export const isAsciiDigit = isDigit;

const classes: ReadonlyMap<string, ByteSet> = new Map(
  Object.entries({
    alnum: isAlnum,
    alpha: isAlpha,
    ascii: (byte: number) => byte < 0x80,
    blank: (byte: number) => byte === 0x20 || byte === 0x09,
    // PostgreSQL counts C1 among the control characters whatever the locale.
    cntrl: (byte: number) => byte < 0x20 || (byte >= 0x7f && byte <= 0x9f),
    digit: isDigit,
    graph: isGraph,
    lower: isLower,
    print: (byte: number) => isGraph(byte) || byte === 0x20,
    punct: (byte: number) => isGraph(byte) && !isAlnum(byte),
    space: isSpace,
    upper: isUpper,
    xdigit: (byte: number) => isDigit(byte) || (isAlpha(byte) && (byte | 0x20) <= 0x66),
    word: isWord,
  }).map(([name, test]) => [name, bytesWhere(test)]),
);

/**
 * The bytes of `[[:name:]]`; without regard to case, upper and lower are all letters.
 * @throws PatternError for an unknown name.
 */
export function classBytes(name: string, ignoreCase: boolean): ByteSet {
  const set = classes.get(ignoreCase && (name === 'upper' || name === 'lower') ? 'alpha' : name);
  if (set === undefined) throw new PatternError(regerror.characterClass);
  return set;
}

// POSIX's names for the ASCII characters, in the order of their codes; the first name is the shortest known.
const characterNames: ReadonlyMap<string, number> = new Map(
  [
    ...'NUL SOH STX ETX EOT ENQ ACK BEL,alert BS,backspace HT,tab LF,newline VT,vertical-tab'.split(' '),
    ...'FF,form-feed CR,carriage-return SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC'.split(' '),
    ...'IS4,FS IS3,GS IS2,RS IS1,US space exclamation-mark quotation-mark number-sign dollar-sign'.split(' '),
    ...'percent-sign ampersand apostrophe left-parenthesis right-parenthesis asterisk plus-sign comma'.split(
      ' ',
    ),
    ...'hyphen,hyphen-minus period,full-stop slash,solidus zero one two three four five six seven'.split(' '),
    ...'eight nine colon semicolon less-than-sign equals-sign greater-than-sign question-mark'.split(' '),
    'commercial-at',
    // Letters have no other name than themselves.
    ...Array.from({ length: 26 }, () => ''),
    ...'left-square-bracket backslash,reverse-solidus right-square-bracket circumflex,circumflex-accent'.split(
      ' ',
    ),
    ...'underscore,low-line grave-accent'.split(' '),
    ...Array.from({ length: 26 }, () => ''),
    ...'left-brace,left-curly-bracket vertical-line right-brace,right-curly-bracket tilde DEL'.split(' '),
  ].flatMap((names, code) => names.split(',').map((name): [string, number] => [name, code])),
);

/**
 * The character of `[[.name.]]` or `[[=name=]]`: a single character stands for itself.
 * @throws PatternError for an unknown name.
 */
export function collatingElement(name: string): number {
  if (name.length === 1) return name.charCodeAt(0);
  const code = name === '' ? undefined : characterNames.get(name);
  if (code === undefined) throw new PatternError(regerror.collatingElement);
  return code;
}
