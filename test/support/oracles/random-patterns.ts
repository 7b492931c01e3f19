// Random regular expressions in PostgreSQL's syntax and subjects for them, from a seed: mostly legal ones built
// from its grammar over a few bytes that tend to match, some of them then damaged.

import type { ByteString } from '../../../src/base/bytestring.ts';

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const words = (text: string): string[] => text.split(' ');

const LETTERS = ['a', 'a', 'a', 'b', 'b', 'b', 'c', 'A', '1', '_', '-', ' ', '\n', '\xc3', '\xe9'];
const BRACKET_ITEMS = [
  ' ',
  '\n',
  '\xe9',
  '\x80-\xff',
  '\t-\\u1234',
  ...words(String.raw`a b c A a-c b-z 0-9 A-Z - ] \d \w \s \D \W \S \n \x61 \\ \-`),
  ...words(
    '[:alpha:] [:digit:] [:space:] [:upper:] [:lower:] [:punct:] [:alnum:] [:word:] [:cntrl:] [:print:]',
  ),
  ...words(
    '[:graph:] [:blank:] [:xdigit:] [:ascii:] [.a.] [.hyphen.] [.space.]-[.z.] [=a=] [=b=] [.].] [.newline.]',
  ),
];
const ESCAPES = [
  ...words(String.raw`\d \w \s \D \W \S \n \a \e \b \B \t \. \\ \_ \cJ \0 \012 \141 \351 \400`),
  ...words(String.raw`\x61 \x000062 \u0061 \U00000062 \u1234`),
];
const CONSTRAINTS = words(String.raw`^ $ ^ $ \A \Z \m \M \y \Y [[:<:]] [[:>:]]`);
const LOOKAROUNDS = words('(?= (?! (?<= (?<!');
const QUANTIFIERS = [
  ...words('* + ? * + ? *? +? ?? {2} {1} {0} {1}? {2}? {1,} {0,} {1,2} {0,2} {2,3} {0,3} {0,1} {1,1} {1,1}?'),
  ...words('{0,2}? {1,}? {0,0} {2,}? {1,3}? {0,5} {3,9} {0,4}?'),
];
const DAMAGE = words(
  String.raw`( ) [ ] { } * + ? | \ ^ $ . , - : = < > ! # 1 2 a b (? [[: :]] (?: (?# *** \Q \8 \u12 \1 {300} {2 [.`,
);
const BASIC = words(
  String.raw`a b a b . * * ^ $ \( \) \{2\} \{1,2\} \{0,\} [ab] [^a] \< \> + ? | ( ) { \. \* [[:alpha:]] \(a\) \(ab*\)*`,
);
const PREFIXES = words('i n m p s w x t c e ix in ei iw xn cq q iq z');

/** Makes patterns and subjects. */
export class PatternGenerator {
  readonly #random: () => number;
  #lookarounds = 0;
  /** Few kinds of atoms, for patterns that match and captures that differ. */
  #plain = false;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)]!;
  }

  /** A pattern: legal in nine cases of ten. */
  pattern(): ByteString {
    this.#lookarounds = 0;
    if (this.#chance(0.04)) return `(?b${this.#pick(['', 'i', 'n', 'x'])})${this.#many(BASIC, 8)}`;
    this.#plain = this.#chance(0.4);
    let pattern = this.#regex(3);
    if (this.#chance(0.15)) pattern = `(?${this.#pick(PREFIXES)})${pattern}`;
    if (this.#chance(0.02)) pattern = `***${this.#pick([':', '=', '?', ''])}${pattern}`;
    return this.#chance(0.12) ? this.#damaged(pattern) : pattern;
  }

  /** A subject of up to 200 bytes, mostly short; NUL is left out, since text in PostgreSQL cannot hold it. */
  subject(): ByteString {
    const letters = this.#chance(0.6) ? LETTERS.slice(0, 2 + this.#below(6)) : LETTERS;
    return this.#many(letters, this.#chance(0.1) ? 40 : this.#chance(0.02) ? 200 : 9);
  }

  #many(from: readonly string[], most: number): string {
    return Array.from({ length: this.#below(most + 1) }, () => this.#pick(from)).join('');
  }

  #regex(depth: number): string {
    const branches = this.#chance(0.75) ? 1 : 2 + this.#below(2);
    return Array.from({ length: branches }, () => this.#branch(depth)).join('|');
  }

  #branch(depth: number): string {
    const pieces = this.#chance(0.05) ? 0 : 1 + this.#below(4);
    return Array.from({ length: pieces }, () => this.#piece(depth)).join(this.#chance(0.03) ? ' ' : '');
  }

  #piece(depth: number): string {
    if (this.#chance(0.1)) return this.#constraint(depth);
    const atom = this.#atom(depth);
    return this.#chance(0.5) ? atom + this.#pick(QUANTIFIERS) : atom;
  }

  #constraint(depth: number): string {
    if (depth === 0 || this.#lookarounds >= 3 || this.#chance(0.6)) return this.#pick(CONSTRAINTS);
    this.#lookarounds += 1;
    return `${this.#pick(LOOKAROUNDS)}${this.#regex(depth - 1)})`;
  }

  #atom(depth: number): string {
    const kind = this.#random();
    if (depth > 0 && kind < 0.3) return `(${this.#regex(depth - 1)})`;
    if (depth > 0 && kind < 0.4) return `(?:${this.#regex(depth - 1)})`;
    if (this.#plain) return this.#pick(['a', 'b', 'c', 'ab', '.', '(a|ab)', '(b*)', '(?:a|bc)', '[ab]']);
    if (kind < 0.5) return '.';
    if (kind < 0.58) return this.#pick(ESCAPES);
    if (kind < 0.68) return this.#brackets();
    if (kind < 0.69) return '(?#note)a';
    return this.#pick(LETTERS);
  }

  #brackets(): string {
    const items = Array.from({ length: 1 + this.#below(3) }, () => this.#pick(BRACKET_ITEMS));
    return `[${this.#chance(0.3) ? '^' : ''}${items.join('')}]`;
  }

  #damaged(pattern: string): string {
    const at = this.#below(pattern.length + 1);
    const removed = this.#chance(0.5) ? 1 : 0;
    return pattern.slice(0, at) + (this.#chance(0.7) ? this.#pick(DAMAGE) : '') + pattern.slice(at + removed);
  }
}
