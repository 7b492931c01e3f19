// What is wrong with a regular expression: the one error of the pattern compiler, and PostgreSQL's words for it.

/** A regular expression that is not one, or that this implementation refuses; the message says which and why. */
export class PatternError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PatternError';
  }
}

/** The texts of PostgreSQL's pg_regerror, by what they complain about. */
export const regerror = {
  version: 'invalid regexp (reg version 0.8)',
  collatingElement: 'invalid collating element',
  characterClass: 'invalid character class',
  escape: 'invalid escape \\ sequence',
  backReference: 'invalid backreference number',
  brackets: 'brackets [] not balanced',
  parentheses: 'parentheses () not balanced',
  braces: 'braces {} not balanced',
  repetition: 'invalid repetition count(s)',
  range: 'invalid character range',
  quantifier: 'quantifier operand invalid',
  option: 'invalid embedded option',
  tooComplex: 'regular expression is too complex',
} as const;
