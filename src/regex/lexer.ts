// Tokens of a regular expression in PostgreSQL's three dialects. One token is read ahead, as PostgreSQL does:
// of several errors the one it would report is the one that is thrown.

import type { ByteString } from '../base/bytestring.ts';
import { isAsciiDigit, isSpace } from './bytes.ts';
import { readEscape } from './escapes.ts';
import { PatternError, regerror } from './error.ts';
import { readPrefixes } from './prefixes.ts';
import type { Options } from './prefixes.ts';

export type TokenKind =
  // Nothing read yet, and nothing left to read.
  | 'start'
  | 'end'
  // One byte; in bounds a digit; in brackets a hyphen that may stand for a range.
  | 'plain'
  | 'digit'
  | 'range'
  // `\d` and `\D` and their like; the name is in `className`.
  | 'class-escape'
  | 'class-escape-complement'
  | 'back-reference'
  // `[.`, `[=` and `[:`, and what closes them.
  | 'open-element'
  | 'open-equivalence'
  | 'open-class'
  | 'close-name'
  // `(?=` and its like.
  | 'look'
  | 'string-start'
  | 'string-end'
  | 'word-start'
  | 'word-end'
  | 'word-edge'
  | 'not-word-edge'
  | '|'
  | '*'
  | '+'
  | '?'
  | '{'
  | '}'
  | ','
  | '('
  | ')'
  | '['
  | ']'
  | '.'
  | '^'
  | '$';

/** A token. What `value` says depends on the kind: a code point, a digit, or 1 and 0 for yes and no. */
export interface RegexToken {
  readonly kind: TokenKind;
  /**
   * plain, digit, range: the character. Quantifiers: 1 = greedy. `(`: 1 = capturing. `[`: 1 = not complemented.
   * back-reference: the group. look: see {@link LOOK_AHEAD}.
   */
  readonly value: number;
  readonly className?: string;
}

/** Bits of a `look` token's value. */
export const LOOK_AHEAD = 1;
export const LOOK_NEGATED = 2;

type Context = 'extended' | 'basic' | 'literal' | 'bound' | 'brackets' | 'element' | 'equivalence' | 'class';

const closers: Partial<Record<Context, string>> = { element: '.', equivalence: '=', class: ':' };
const openers: Record<string, { context: Context; kind: TokenKind }> = {
  '.': { context: 'element', kind: 'open-element' },
  '=': { context: 'equivalence', kind: 'open-equivalence' },
  ':': { context: 'class', kind: 'open-class' },
};
const lookarounds: Record<string, number> = {
  '=': LOOK_AHEAD,
  '!': LOOK_AHEAD | LOOK_NEGATED,
  '<=': 0,
  '<!': LOOK_NEGATED,
};

/** Reads one regular expression; `token` is the one to look at, `next()` goes on. */
export class Lexer {
  readonly options: Options;
  token: RegexToken = { kind: 'start', value: 0 };
  /** Capturing parentheses opened so far, kept by the parser: `\10` is a back reference only if group 10 is there. */
  groupCount = 0;
  readonly #source: ByteString;
  #at: number;
  #previous: TokenKind = 'start';
  #context: Context;

  /** @throws PatternError when the prefixes or the first token are wrong. */
  constructor(source: ByteString) {
    this.#source = source;
    const { options, length } = readPrefixes(source);
    this.options = options;
    this.#at = length;
    this.#context = options.syntax === 'literal' ? 'literal' : this.#main();
    this.next();
  }

  /** Reads the next token. @throws PatternError when there is no legal one. */
  next(): void {
    this.#previous = this.token.kind;
    this.token = this.#read();
  }

  #main(): Context {
    return this.options.syntax === 'basic' ? 'basic' : 'extended';
  }

  #rest(text: string): boolean {
    return this.#source.startsWith(text, this.#at);
  }

  #atEnd(): boolean {
    return this.#at >= this.#source.length;
  }

  /** Takes the next characters if they are these. */
  #take(text: string): boolean {
    if (!this.#rest(text)) return false;
    this.#at += text.length;
    return true;
  }

  #read(): RegexToken {
    for (;;) {
      if (['extended', 'basic', 'bound'].includes(this.#context)) this.#skipSpace();
      if (this.#atEnd()) return this.#readEnd();
      if (this.#context !== 'extended' || this.options.syntax !== 'advanced' || !this.#take('(?#')) break;
      const end = this.#source.indexOf(')', this.#at);
      this.#at = end === -1 ? this.#source.length : end + 1;
    }
    const character = this.#source[this.#at++]!;
    switch (this.#context) {
      case 'literal':
        return plain(character);
      case 'basic':
        return this.#readBasic(character);
      case 'extended':
        return this.#readExtended(character);
      case 'bound':
        return this.#readBound(character);
      case 'brackets':
        return this.#readBrackets(character);
      case 'element':
      case 'equivalence':
      case 'class':
        if (character !== closers[this.#context] || !this.#take(']')) return plain(character);
        this.#context = 'brackets';
        return { kind: 'close-name', value: 0 };
      default:
        return this.#context satisfies never;
    }
  }

  /** In expanded syntax white space and comments between tokens are nothing. */
  #skipSpace(): void {
    if (!this.options.expanded) return;
    for (;;) {
      while (!this.#atEnd() && isSpace(this.#source.charCodeAt(this.#at))) this.#at++;
      if (!this.#rest('#')) return;
      const end = this.#source.indexOf('\n', this.#at);
      this.#at = end === -1 ? this.#source.length : end;
    }
  }

  #readEnd(): RegexToken {
    switch (this.#context) {
      case 'extended':
      case 'basic':
      case 'literal':
        return { kind: 'end', value: 0 };
      case 'bound':
        throw new PatternError(regerror.braces);
      case 'brackets':
      case 'element':
      case 'equivalence':
      case 'class':
        throw new PatternError(regerror.brackets);
      default:
        return this.#context satisfies never;
    }
  }

  #readExtended(character: string): RegexToken {
    switch (character) {
      case '|':
      case '.':
      case '^':
      case '$':
        return { kind: character, value: 0 };
      case ')':
        return { kind: ')', value: character.charCodeAt(0) };
      case '*':
      case '+':
      case '?':
        return { kind: character, value: this.#greedy() };
      case '{':
        this.#skipSpace();
        if (!isAsciiDigit(this.#source.charCodeAt(this.#at))) return plain(character);
        this.#context = 'bound';
        return { kind: '{', value: 0 };
      case '(':
        return this.options.syntax === 'advanced' && this.#take('?')
          ? this.#readGroupKind()
          : { kind: '(', value: 1 };
      case '[':
        return this.#readOpenBracket();
      case '\\':
        if (this.#atEnd()) throw new PatternError(regerror.escape);
        return this.options.syntax === 'advanced' ? this.#readEscape() : plain(this.#source[this.#at++]!);
      default:
        return plain(character);
    }
  }

  /** Whether a quantifier is greedy: only advanced syntax has a `?` after it that says no. */
  #greedy(): number {
    return this.options.syntax === 'advanced' && this.#take('?') ? 0 : 1;
  }

  /** What follows `(?`, comments excepted. */
  #readGroupKind(): RegexToken {
    if (this.#take(':')) return { kind: '(', value: 0 };
    for (const [text, value] of Object.entries(lookarounds)) {
      if (this.#take(text)) return { kind: 'look', value };
    }
    throw new PatternError(regerror.quantifier);
  }

  #readOpenBracket(): RegexToken {
    if (this.#take('[:<:]]')) return { kind: 'word-start', value: 0 };
    if (this.#take('[:>:]]')) return { kind: 'word-end', value: 0 };
    this.#context = 'brackets';
    return { kind: '[', value: this.#take('^') ? 0 : 1 };
  }

  #readEscape(): RegexToken {
    const { token, length } = readEscape(this.#source, this.#at, this.groupCount);
    this.#at += length;
    return token;
  }

  #readBound(character: string): RegexToken {
    if (isAsciiDigit(character.charCodeAt(0))) return { kind: 'digit', value: Number(character) };
    if (character === ',') return { kind: ',', value: 0 };
    const closed = this.#main() === 'basic' ? character === '\\' && this.#take('}') : character === '}';
    if (!closed) throw new PatternError(regerror.repetition);
    this.#context = this.#main();
    return { kind: '}', value: this.#greedy() };
  }

  #readBrackets(character: string): RegexToken {
    const first = this.#previous === '[';
    switch (character) {
      case ']':
        if (first) return plain(character);
        this.#context = this.#main();
        return { kind: ']', value: 0 };
      case '-':
        return first || this.#rest(']')
          ? plain(character)
          : { kind: 'range', value: character.charCodeAt(0) };
      case '\\':
        return this.options.syntax === 'advanced' ? this.#readBracketEscape() : plain(character);
      case '[': {
        if (this.#atEnd()) throw new PatternError(regerror.brackets);
        const opener = openers[this.#source[this.#at]!];
        if (opener === undefined) return plain(character);
        this.#at++;
        this.#context = opener.context;
        return { kind: opener.kind, value: 0 };
      }
      default:
        return plain(character);
    }
  }

  /** Inside brackets only escapes that stand for characters are legal. */
  #readBracketEscape(): RegexToken {
    if (this.#atEnd()) throw new PatternError(regerror.escape);
    const token = this.#readEscape();
    if (!['plain', 'class-escape', 'class-escape-complement'].includes(token.kind)) {
      throw new PatternError(regerror.escape);
    }
    return token;
  }

  #readBasic(character: string): RegexToken {
    const opening = this.#previous === 'start' || this.#previous === '(';
    switch (character) {
      case '*':
        return opening || this.#previous === '^' ? plain(character) : { kind: '*', value: 1 };
      case '^':
        return opening ? { kind: '^', value: 0 } : plain(character);
      case '$':
        this.#skipSpace();
        return this.#atEnd() || this.#rest('\\)') ? { kind: '$', value: 0 } : plain(character);
      case '[':
        return this.#readOpenBracket();
      case '.':
        return { kind: '.', value: 0 };
      case '\\':
        if (this.#atEnd()) throw new PatternError(regerror.escape);
        return this.#readBasicEscape(this.#source[this.#at++]!);
      default:
        return plain(character);
    }
  }

  #readBasicEscape(character: string): RegexToken {
    switch (character) {
      case '{':
        this.#context = 'bound';
        return { kind: '{', value: 0 };
      case '(':
        return { kind: '(', value: 1 };
      case ')':
        return { kind: ')', value: character.charCodeAt(0) };
      case '<':
        return { kind: 'word-start', value: 0 };
      case '>':
        return { kind: 'word-end', value: 0 };
      default:
        return character >= '1' && character <= '9'
          ? { kind: 'back-reference', value: Number(character) }
          : plain(character);
    }
  }
}

function plain(character: string): RegexToken {
  return { kind: 'plain', value: character.charCodeAt(0) };
}
