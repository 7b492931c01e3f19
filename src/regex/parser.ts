// From the text of a regular expression to its syntax tree. A recursive descent that asks for tokens in
// PostgreSQL's order, so that it finds the same error first.

import type { ByteString } from '../base/bytestring.ts';
import {
  addBytes,
  byteRange,
  classBytes,
  collatingElement,
  complement,
  NEWLINE,
  withBothCases,
} from './bytes.ts';
import type { ByteSet } from './bytes.ts';
import { PatternError, regerror } from './error.ts';
import { Lexer, LOOK_AHEAD, LOOK_NEGATED } from './lexer.ts';
import type { RegexToken, TokenKind } from './lexer.ts';
import type { Atom, Branch, Constraint, Piece, Regex, SimpleConstraint, Syntax } from './syntax.ts';

/** PostgreSQL's DUPMAX: the largest number in a bound. */
const MAX_REPETITIONS = 255;
/** Parentheses within parentheses; PostgreSQL ends where its stack does. */
const MAX_DEPTH = 100;
/** Atoms and constraints in one expression, and groups: this many divisions may be nested in each other. */
const MAX_PIECES = 2000;
const MAX_GROUPS = 100;
/** Lookaround constraints in one expression: each doubles the contexts that a boundary can stand in. */
const MAX_LOOKAROUNDS = 6;

/**
 * Parses what follows the leading `/` of a token.
 * @throws PatternError with PostgreSQL's text for a wrong expression, with ours for an unsupported one.
 */
export function parsePattern(source: ByteString): Syntax {
  const parser = new Parser(source);
  const regex = parser.parse('end', false);
  return {
    regex,
    groupCount: parser.groupCount,
    constraints: parser.constraints,
    newlineAnchors: parser.newlineAnchors,
  };
}

const constraintTokens: Partial<Record<TokenKind, SimpleConstraint>> = {
  '^': 'line-start',
  $: 'line-end',
  'string-start': 'string-start',
  'string-end': 'string-end',
  'word-start': 'word-start',
  'word-end': 'word-end',
  'word-edge': 'word-edge',
  'not-word-edge': 'not-word-edge',
};

type Quantifier = Omit<Piece, 'atom'>;

const quantifiers: Partial<Record<TokenKind, Omit<Quantifier, 'prefers'>>> = {
  '*': { min: 0, max: Infinity },
  '+': { min: 1, max: Infinity },
  '?': { min: 0, max: 1 },
};

class Parser {
  readonly constraints: Constraint[] = [];
  readonly newlineAnchors: boolean;
  readonly #lexer: Lexer;
  /** Groups that a back reference may name: those already closed. */
  readonly #closedGroups = new Set<number>();
  #depth = 0;
  #lookarounds = 0;
  #pieces = 0;

  constructor(source: ByteString) {
    this.#lexer = new Lexer(source);
    this.newlineAnchors = this.#lexer.options.newlineAnchors;
  }

  get groupCount(): number {
    return this.#lexer.groupCount;
  }

  get #token(): RegexToken {
    return this.#lexer.token;
  }

  #sees(kind: TokenKind): boolean {
    return this.#lexer.token.kind === kind;
  }

  #next(): void {
    this.#lexer.next();
  }

  /** Alternatives up to the end or a closing parenthesis; inside a lookaround nothing captures. */
  parse(stopper: 'end' | ')', inLookaround: boolean): Regex {
    // SECURITY: without this a line of parentheses overflows the stack.
    if (++this.#depth > MAX_DEPTH) throw new PatternError(regerror.tooComplex);
    const branches: Branch[] = [this.#parseBranch(stopper, inLookaround)];
    while (this.#sees('|')) {
      this.#next();
      branches.push(this.#parseBranch(stopper, inLookaround));
    }
    if (!this.#sees(stopper)) throw new PatternError(regerror.parentheses);
    this.#depth--;
    return { branches };
  }

  #parseBranch(stopper: 'end' | ')', inLookaround: boolean): Branch {
    const pieces: Piece[] = [];
    while (!this.#sees('|') && !this.#sees(stopper) && !this.#sees('end')) {
      pieces.push(this.#parsePiece(inLookaround));
    }
    return pieces;
  }

  /** A constraint takes no quantifier: one after it finds nothing to repeat. */
  #parsePiece(inLookaround: boolean): Piece {
    if (++this.#pieces > MAX_PIECES) throw new PatternError(regerror.tooComplex);
    const constraint = this.#parseConstraint();
    if (constraint !== null) return { atom: constraint, min: 1, max: 1, prefers: null };
    const atom = this.#parseAtom(inLookaround);
    return { atom, ...this.#parseQuantifier() };
  }

  #parseConstraint(): Atom | null {
    const token = this.#token;
    if (token.kind === 'look') {
      this.#next();
      if (++this.#lookarounds > MAX_LOOKAROUNDS) {
        throw new PatternError(`more than ${MAX_LOOKAROUNDS} lookaround constraints are not supported`);
      }
      const body = this.parse(')', true);
      this.#next();
      const ahead = (token.value & LOOK_AHEAD) !== 0;
      const negated = (token.value & LOOK_NEGATED) !== 0;
      return { kind: 'constraint', index: this.constraints.push({ kind: 'look', ahead, negated, body }) - 1 };
    }
    const name = constraintTokens[token.kind];
    if (name === undefined) return null;
    this.#next();
    const known = this.constraints.findIndex((other) => other.kind === 'simple' && other.name === name);
    return {
      kind: 'constraint',
      index: known === -1 ? this.constraints.push({ kind: 'simple', name }) - 1 : known,
    };
  }

  #parseAtom(inLookaround: boolean): Atom {
    const { kind, value } = this.#token;
    if (kind === '(') return this.#parseGroup(value === 1 && !inLookaround, inLookaround);
    if (kind === 'back-reference') {
      if (inLookaround || !this.#closedGroups.has(value)) throw new PatternError(regerror.backReference);
      throw new PatternError('back references are not supported: they cannot be matched in linear time');
    }
    const set = this.#parseSet();
    this.#next();
    return { kind: 'byte', set };
  }

  /** What matches one byte; leaves its last token as the one to look at. */
  #parseSet(): ByteSet {
    const { kind, value, className } = this.#token;
    const { ignoreCase, syntax } = this.#lexer.options;
    if (kind === 'plain') return this.#cased(single(value));
    if (kind === '.') return this.#withoutNewline(byteRange(0, 255));
    if (kind === '[') return this.#parseBrackets(value === 0);
    if (kind === 'class-escape') return classBytes(className!, ignoreCase);
    if (kind === 'class-escape-complement') return complement(classBytes(className!, ignoreCase));
    if (kind !== ')') throw new PatternError(regerror.quantifier);
    // Only POSIX's EREs take a parenthesis that closes nothing for itself.
    if (syntax !== 'extended') throw new PatternError(regerror.parentheses);
    return single(value);
  }

  #cased(set: ByteSet): ByteSet {
    return this.#lexer.options.ignoreCase ? withBothCases(set) : set;
  }

  #withoutNewline(set: ByteSet): ByteSet {
    if (this.#lexer.options.newlineStops) set[NEWLINE] = 0;
    return set;
  }

  #parseGroup(captures: boolean, inLookaround: boolean): Atom {
    const capture = captures ? ++this.#lexer.groupCount : 0;
    if (capture > MAX_GROUPS) throw new PatternError(regerror.tooComplex);
    this.#next();
    const body = this.parse(')', inLookaround);
    this.#next();
    if (captures) this.#closedGroups.add(capture);
    return { kind: 'group', capture, body };
  }

  #parseQuantifier(): Quantifier {
    const { kind, value } = this.#token;
    if (kind === '{') return this.#parseBound();
    const bounds = quantifiers[kind];
    if (bounds === undefined) return { min: 1, max: 1, prefers: null };
    this.#next();
    return { ...bounds, prefers: value === 1 ? 'longer' : 'shorter' };
  }

  /** `{m}` takes over the atom's preference, `{m,n}` has its own even when m is n. */
  #parseBound(): Quantifier {
    this.#next();
    const min = this.#parseNumber();
    let max = min;
    const hasComma = this.#sees(',');
    if (hasComma) {
      this.#next();
      max = this.#sees('digit') ? this.#parseNumber() : Infinity;
    }
    if (min > max || !this.#sees('}')) throw new PatternError(regerror.repetition);
    const greedy = this.#token.value === 1;
    this.#next();
    return { min, max, prefers: hasComma ? (greedy ? 'longer' : 'shorter') : null };
  }

  #parseNumber(): number {
    let value = 0;
    while (this.#sees('digit') && value < MAX_REPETITIONS) {
      value = value * 10 + this.#token.value;
      this.#next();
    }
    if (this.#sees('digit') || value > MAX_REPETITIONS) throw new PatternError(regerror.repetition);
    return value;
  }

  /** Leaves the closing bracket as the token to look at. */
  #parseBrackets(complemented: boolean): ByteSet {
    this.#next();
    const set = byteRange(1, 0);
    while (!this.#sees(']')) addBytes(set, this.#parseBracketItem());
    return complemented ? this.#withoutNewline(complement(set)) : set;
  }

  #parseBracketItem(): ByteSet {
    const { kind } = this.#token;
    // No two characters of the C locale are equivalent.
    if (kind === 'open-equivalence') {
      return this.#cased(single(collatingElement(this.#parseName(regerror.collatingElement))));
    }
    if (kind === 'open-class') {
      return classBytes(this.#parseName(regerror.characterClass), this.#lexer.options.ignoreCase);
    }
    if (kind === 'class-escape' || kind === 'class-escape-complement') {
      const set = this.#parseSet();
      this.#next();
      return set;
    }
    const first = this.#parseRangeEnd(false);
    if (!this.#sees('range')) return this.#cased(single(first));
    this.#next();
    const last = this.#parseRangeEnd(true);
    if (first > last) throw new PatternError(regerror.range);
    return this.#cased(byteRange(first, last));
  }

  /** A character by itself or by name; a hyphen may end a range, but not begin one. */
  #parseRangeEnd(last: boolean): number {
    const { kind, value } = this.#token;
    if (kind === 'open-element') return collatingElement(this.#parseName(regerror.collatingElement));
    if (kind !== 'plain' && !(last && kind === 'range')) throw new PatternError(regerror.range);
    this.#next();
    return value;
  }

  /** The text between `[.` and `.]` and their like, which may not be empty. */
  #parseName(complaint: string): string {
    this.#next();
    let name = '';
    for (; this.#sees('plain'); this.#next()) name += String.fromCharCode(this.#token.value);
    this.#next();
    if (name === '') throw new PatternError(complaint);
    return name;
  }
}

const singles: (ByteSet | undefined)[] = [];

/** The set of one byte, always the same one: equal sets being one object makes compiling faster. */
function single(code: number): ByteSet {
  return code > 0xff ? NO_BYTES : (singles[code] ??= byteRange(code, code));
}

const NO_BYTES = byteRange(1, 0);
