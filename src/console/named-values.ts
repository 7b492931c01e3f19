// `(VALUES …) AS alias (name, …)`, as psql's \gdesc sends it: the engine names the columns of VALUES itself, so they are
// selected under the names that the statement gives them.

import type { SqlToken } from './sql-tokens.ts';

/** The statement with every such list of names taken into its parenthesis. */
export function withNamedValues(tokens: readonly SqlToken[]): readonly SqlToken[] {
  const open = tokens.findIndex(({ text }, index) => text === '(' && tokens[index + 1]?.word === 'values');
  if (open === -1) return tokens;
  const close = closing(tokens, open);
  const aliasAt = tokens[close + 1]?.word === 'as' ? close + 2 : close + 1;
  const alias = tokens[aliasAt];
  const inner = tokens.slice(open + 1, close);
  const namesEnd = tokens[aliasAt + 1]?.text === '(' ? closing(tokens, aliasAt + 1) : -1;
  const isNamed = alias !== undefined && ['word', 'quoted'].includes(alias.kind) && namesEnd !== -1;
  if (!isNamed) {
    return [...tokens.slice(0, close + 1), ...withNamedValues(tokens.slice(close + 1))];
  }
  const names = tokens.slice(aliasAt + 2, namesEnd).filter(({ text }) => text !== ',');
  const columns = names.flatMap((name, index) => [
    ...(index === 0 ? [] : [token(',')]),
    token(`column${index + 1}`),
    token('as'),
    name,
  ]);
  return [
    ...tokens.slice(0, open),
    token('('),
    token('select'),
    ...columns,
    token('from'),
    token('('),
    ...inner,
    token(')'),
    token(')'),
    alias,
    ...withNamedValues(tokens.slice(namesEnd + 1)),
  ];
}

/** Where the parenthesis that opens at `open` closes; the last token where it never does. */
function closing(tokens: readonly SqlToken[], open: number): number {
  let depth = 0;
  for (let index = open; index < tokens.length; index++) {
    if (tokens[index]?.text === '(') depth++;
    if (tokens[index]?.text === ')' && --depth === 0) return index;
  }
  return tokens.length - 1;
}

function token(text: string): SqlToken {
  return { kind: /^\w/.test(text) ? 'word' : 'mark', text, word: text };
}
