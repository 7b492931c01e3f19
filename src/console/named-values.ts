// `(VALUES …) AS alias (name, …)`, as psql's \gdesc sends it: the engine names the columns of VALUES itself, so they are
// selected under the names that the statement gives them.

import { closing, markToken, wordToken, type SqlToken } from './sql-tokens.ts';

/**
 * The statement with every such list of names taken into its parenthesis. Each token is looked at a few times at most,
 * however many lists there are: the process that serves the sessions does this.
 */
export function withNamedValues(tokens: readonly SqlToken[]): readonly SqlToken[] {
  const out: SqlToken[] = [];
  for (let at = 0; at < tokens.length;) {
    const isList = tokens[at]?.text === '(' && tokens[at + 1]?.word === 'values';
    const close = isList ? closing(tokens, at) : at;
    const names = isList ? namesAfter(tokens, close) : null;
    if (names === null) {
      append(out, tokens.slice(at, close + 1));
      at = close + 1;
      continue;
    }
    out.push(markToken('('), wordToken('select'));
    append(out, columnsOf(names.names));
    out.push(wordToken('from'));
    append(out, tokens.slice(at, close + 1));
    out.push(markToken(')'), names.alias);
    at = names.end;
  }
  return out;
}

/** `AS alias (name, …)` after a list that closes at `close`, and where it ends; null = there is none. */
function namesAfter(
  tokens: readonly SqlToken[],
  close: number,
): { readonly alias: SqlToken; readonly names: readonly SqlToken[]; readonly end: number } | null {
  const aliasAt = tokens[close + 1]?.word === 'as' ? close + 2 : close + 1;
  const alias = tokens[aliasAt];
  if (alias === undefined || !['word', 'quoted'].includes(alias.kind)) return null;
  if (tokens[aliasAt + 1]?.text !== '(') return null;
  const namesEnd = closing(tokens, aliasAt + 1);
  const names = tokens.slice(aliasAt + 2, namesEnd).filter(({ text }) => text !== ',');
  return { alias, names, end: namesEnd + 1 };
}

/** `column1 AS name, …`: the engine's own names, and the statement's. */
function columnsOf(names: readonly SqlToken[]): readonly SqlToken[] {
  return names.flatMap((name, index) => [
    ...(index === 0 ? [] : [markToken(',')]),
    wordToken(`column${index + 1}`),
    wordToken('as'),
    name,
  ]);
}

/** One by one: a call takes no hundred thousand arguments. */
function append(out: SqlToken[], tokens: readonly SqlToken[]): void {
  for (const each of tokens) out.push(each);
}
