// What SQL writes in two ways, in the one that the console reads: `CAST(x AS type)` as `x::type`, and
// `EXTRACT(field FROM x)` as a call of date_part.

import { markToken, type SqlToken } from './sql-tokens.ts';

/** The statement in that form. Each token is looked at once, however deep the casts are. */
export function inOneForm(tokens: readonly SqlToken[]): readonly SqlToken[] {
  const out: SqlToken[] = [];
  /** By open parenthesis: where it stands in `out` if it is that of a CAST, else null. */
  const open: (number | null)[] = [];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? markToken('');
    const isCall = token.kind === 'word' && tokens[index + 1]?.text === '(';
    const field = tokens[index + 2];
    if (isCall && token.word === 'cast') {
      open.push(out.push(markToken('(')) - 1);
      index++;
    } else if (
      isCall &&
      token.word === 'extract' &&
      field !== undefined &&
      tokens[index + 3]?.word === 'from'
    ) {
      // The engine calls one function, and the column is named by the other.
      out.push({ ...token, text: 'date_part' }, markToken('('), fieldName(field), markToken(','));
      open.push(null);
      index += 3;
    } else if (token.word === 'as' && typeof open.at(-1) === 'number') {
      closeCast(out, open.pop() ?? 0);
      index = copyType(tokens, index + 1, out);
    } else {
      if (token.text === '(') open.push(null);
      if (token.text === ')') open.pop();
      out.push(token);
    }
  }
  return out;
}

/** A single token needs no parenthesis: a parameter's type is what stands behind it. */
function closeCast(out: SqlToken[], begin: number): void {
  const only = out.at(-1);
  if (out.length !== begin + 2 || only === undefined) out.push(markToken(')'));
  else out.splice(begin, 2, only);
  out.push({ kind: 'operator', text: '::', word: '::' });
}

/** Appends the type's tokens; returns where the parenthesis of the CAST closes. */
function copyType(tokens: readonly SqlToken[], begin: number, out: SqlToken[]): number {
  let depth = 0;
  for (let index = begin; index < tokens.length; index++) {
    const token = tokens[index] ?? markToken('');
    if (token.text === '(') depth++;
    if (token.text === ')' && depth-- === 0) return index;
    out.push(token);
  }
  return tokens.length;
}

function fieldName({ word }: SqlToken): SqlToken {
  const text = `'${word.replace(/^'|'$/g, '').replaceAll("'", "''")}'`;
  return { kind: 'string', text, word: text };
}
