// `a / b` and `a % b` as `a / nonzero(b)`: the engine answers null to a division by zero, and PostgreSQL an error. A null in
// a ratio would look like a value that is not known.

import { markToken, wordToken, type SqlToken } from './sql-tokens.ts';

/** What an operand may go on with after its first word. */
const GOES_ON: ReadonlySet<string> = new Set(['filter', 'over', 'collate', 'precision', 'varying']);

/** What no operand ends with. */
const NO_END: ReadonlySet<string> = new Set(['over', 'collate', 'not', 'distinct', 'case']);

/** The statement with every divisor in a call of `nonzero`. Each token is looked at once. */
export function withCheckedDivisors(tokens: readonly SqlToken[]): readonly SqlToken[] {
  const out: SqlToken[] = [];
  /** How deep in parentheses each divisor stands whose end has yet to come. */
  const open: number[] = [];
  let depth = 0;
  const close = (): void => {
    out.push(markToken(')'));
    open.pop();
  };
  for (const [index, token] of tokens.entries()) {
    if (token.text === '(' || token.word === 'case') depth++;
    if (token.text === ')' || token.word === 'end') depth--;
    // `(1 / )` is an error that the engine words.
    while ((open.at(-1) ?? depth) > depth) close();
    out.push(token);
    if (token.kind === 'operator' && /^[/%]$/.test(token.text)) {
      out.push(wordToken('nonzero'), markToken('('));
      open.push(depth);
    } else if (isEnd(token) && !goesOn(token, tokens[index + 1])) {
      while (open.at(-1) === depth) close();
    }
  }
  while (open.length > 0) close();
  return out;
}

function isEnd({ kind, text, word }: SqlToken): boolean {
  if (kind === 'operator') return false;
  return kind === 'mark' ? text === ')' || text === ']' : !NO_END.has(word);
}

function goesOn({ kind }: SqlToken, next: SqlToken | undefined): boolean {
  if (next === undefined) return false;
  const isCall = (kind === 'word' || kind === 'quoted') && next.text === '(';
  return isCall || next.text === '.' || next.text === '::' || next.text === '[' || GOES_ON.has(next.word);
}
