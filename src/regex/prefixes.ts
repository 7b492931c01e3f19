// What may stand before a regular expression proper: the directors `***:` and `***=` and the embedded options
// `(?…)`, which say how to read the rest.

import type { ByteString } from '../base/bytestring.ts';
import { isAsciiAlpha } from './bytes.ts';
import { PatternError, regerror } from './error.ts';

/** How the expression is read and matched. */
export interface Options {
  /** PostgreSQL's ARE (the default), ERE `(?e)`, BRE `(?b)`, or a literal string `***=`, `(?q)`. */
  readonly syntax: 'advanced' | 'extended' | 'basic' | 'literal';
  readonly ignoreCase: boolean;
  /** White space and comments in the expression are ignored. */
  readonly expanded: boolean;
  /** `.` and `[^…]` never match a newline. */
  readonly newlineStops: boolean;
  /** `^` and `$` match beside a newline. */
  readonly newlineAnchors: boolean;
}

const defaults: Options = {
  syntax: 'advanced',
  ignoreCase: false,
  expanded: false,
  newlineStops: false,
  newlineAnchors: false,
};

/**
 * Reads what precedes the expression; `length` is how much of the source that is.
 * @throws PatternError for an unknown option or director.
 */
export function readPrefixes(source: ByteString): { readonly options: Options; readonly length: number } {
  let at = 0;
  if (source.length >= 4 && source.startsWith('***')) {
    if (source[3] === '=') return { options: { ...defaults, syntax: 'literal' }, length: 4 };
    if (source[3] === '?') throw new PatternError(regerror.version);
    if (source[3] !== ':') throw new PatternError(regerror.quantifier);
    at = 4;
  }
  if (!source.startsWith('(?', at) || !isAsciiAlpha(source.charCodeAt(at + 2)))
    return { options: defaults, length: at };
  const flags: Flags = { ...defaults };
  for (at += 2; isAsciiAlpha(source.charCodeAt(at)); at++) applyOption(flags, source[at]!);
  if (source[at] !== ')') throw new PatternError(regerror.option);
  return { options: settle(flags), length: at + 1 };
}

type Flags = { -readonly [Key in keyof Options]: Options[Key] };

/** Options take effect one after another, the last word counting. */
function applyOption(flags: Flags, letter: string): void {
  switch (letter) {
    case 'b':
      flags.syntax = 'basic';
      break;
    case 'e':
      flags.syntax = 'extended';
      break;
    case 'q':
      flags.syntax = 'literal';
      break;
    case 'c':
      flags.ignoreCase = false;
      break;
    case 'i':
      flags.ignoreCase = true;
      break;
    case 'm':
    case 'n':
      flags.newlineStops = flags.newlineAnchors = true;
      break;
    case 'p':
      flags.newlineStops = true;
      flags.newlineAnchors = false;
      break;
    case 's':
      flags.newlineStops = flags.newlineAnchors = false;
      break;
    case 'w':
      flags.newlineStops = false;
      flags.newlineAnchors = true;
      break;
    case 't':
      flags.expanded = false;
      break;
    case 'x':
      flags.expanded = true;
      break;
    default:
      throw new PatternError(regerror.option);
  }
}

/** A literal string knows neither expanded syntax nor newlines. */
function settle(flags: Flags): Options {
  if (flags.syntax !== 'literal') return flags;
  return { ...defaults, syntax: 'literal', ignoreCase: flags.ignoreCase };
}
