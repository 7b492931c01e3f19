// `COPY (select …) TO STDOUT …` and `COPY table TO STDOUT …`, which psql's \copy sends: what is copied, and how a row is
// written.

import { ConsoleError } from './console-error.ts';
import { truthOf } from './pg-types.ts';
import { valueOf, wordToken, type SqlToken } from './sql-tokens.ts';

/** How COPY … TO STDOUT writes a row. */
export interface CopyFormat {
  readonly csv: boolean;
  readonly header: boolean;
  readonly delimiter: string;
  /** What stands for null. */
  readonly nothing: string;
}

/** @throws ConsoleError for what the console does not copy, or not so */
export function copyStatement(tokens: readonly SqlToken[]): {
  readonly tokens: readonly SqlToken[];
  readonly format: CopyFormat;
} {
  const to = lastIndexOf(tokens, 'to');
  if (to < 2 || tokens[to + 1]?.word !== 'stdout') {
    throw new ConsoleError('0A000', 'the console copies only TO STDOUT', {
      hint: 'In psql use \\copy (select …) to FILE.',
    });
  }
  return { tokens: queryOf(tokens.slice(1, to)), format: formatOf(tokens.slice(to + 2)) };
}

/** `(select …)`, `table`, or `table (column, …)`. */
function queryOf(source: readonly SqlToken[]): readonly SqlToken[] {
  if (source[0]?.text === '(') return source.slice(1, -1);
  const list = source.findIndex(({ text }) => text === '(');
  const [table, columns] =
    list === -1 ? [source, [wordToken('*')]] : [source.slice(0, list), source.slice(list + 1, -1)];
  return [wordToken('select'), ...columns, wordToken('from'), ...table];
}

interface Options {
  csv: boolean;
  header: boolean;
  delimiter: string | null;
  nothing: string | null;
}

/** Options in either form: `CSV HEADER`, and `WITH (FORMAT csv, HEADER true)`. */
function formatOf(tokens: readonly SqlToken[]): CopyFormat {
  const options: Options = { csv: false, header: false, delimiter: null, nothing: null };
  const said = tokens.filter(({ text, word: each }) => !/^[(),]$/.test(text) && !/^(?:with|as)$/.test(each));
  for (let index = 0; index < said.length;) index += takeOption(said, index, options);
  const { csv, header, delimiter, nothing } = options;
  if (!csv && /^[a-z0-9.\\]$/.test(delimiter ?? ''))
    throw new ConsoleError('22023', `COPY delimiter cannot be "${delimiter}"`);
  return { csv, header, delimiter: delimiter ?? (csv ? ',' : '\t'), nothing: nothing ?? (csv ? '' : '\\N') };
}

/** Takes the option at `index`; returns how many tokens it has. */
function takeOption(tokens: readonly SqlToken[], index: number, options: Options): number {
  const [token, next] = [tokens[index], tokens[index + 1]];
  const name = token === undefined ? '' : valueOf(token).toLowerCase();
  const value = next === undefined ? '' : valueOf(next);
  switch (name) {
    case 'csv':
      options.csv = true;
      return 1;
    case 'format':
      options.csv = value.toLowerCase() === 'csv';
      if (!/^(?:csv|text)$/i.test(value)) throw unsupported(`format "${value.slice(0, 63)}"`);
      return 2;
    case 'header': {
      const truth = next === undefined || next.kind === 'quoted' ? null : truthOf(value);
      options.header = truth !== 0;
      return truth === null ? 1 : 2;
    }
    case 'delimiter':
      if (!/^[ -~\t]$/.test(value) || next?.kind !== 'string')
        throw new ConsoleError('0A000', 'COPY delimiter must be a single one-byte character');
      options.delimiter = value;
      return 2;
    case 'null':
      if (next?.kind !== 'string') throw unsupported('null');
      options.nothing = value;
      return 2;
    case 'encoding':
      if (!/^utf-?8$/i.test(value)) throw unsupported(`option "${name}" but UTF8`);
      return 2;
    default:
      throw unsupported(`option "${name.slice(0, 63)}"`);
  }
}

/** What would be written otherwise than it was asked for is not written. */
function unsupported(what: string): ConsoleError {
  return new ConsoleError('0A000', `the console does not support COPY ${what}`, {
    hint: 'It takes CSV, HEADER, DELIMITER and NULL.',
  });
}

function lastIndexOf(tokens: readonly SqlToken[], wanted: string): number {
  let depth = 0;
  for (let index = tokens.length - 1; index >= 0; index--) {
    const { text, word: each } = tokens[index] ?? wordToken('');
    if (text === ')') depth++;
    if (text === '(') depth--;
    if (depth === 0 && each === wanted) return index;
  }
  return -1;
}
