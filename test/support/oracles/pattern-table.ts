// Reads test/fixtures/patterns/: tables of regular expressions that a person can read and extend.

import { readFileSync } from 'node:fs';
import { fromBytes, type ByteString } from '../../../src/base/bytestring.ts';

/** A line of matches.txt. `groups` null = no match; an empty list where nothing captures. */
export interface MatchLine {
  readonly line: number;
  readonly pattern: ByteString;
  readonly subject: ByteString;
  readonly groups: readonly (ByteString | null)[] | null;
}

/** A line of errors.txt or unsupported.txt. */
export interface RefusalLine {
  readonly line: number;
  readonly pattern: ByteString;
  readonly message: string;
}

/** @throws Error for a line that is not a line of the table. */
export function readMatches(): MatchLine[] {
  return readTable('matches.txt').map(({ line, cells }) => {
    const [pattern, subject, ...outcome] = cells;
    if (pattern === undefined || subject === undefined || outcome.length === 0)
      throw new Error(`line ${line}`);
    return {
      line,
      pattern: emptyOr(pattern),
      subject: unescape(emptyOr(subject)),
      groups: readOutcome(outcome),
    };
  });
}

/** @throws Error for a line that is not a line of the table. */
export function readRefusals(name: 'errors.txt' | 'unsupported.txt'): RefusalLine[] {
  return readTable(name).map(({ line, cells }) => {
    const [pattern, message] = cells;
    if (pattern === undefined || message === undefined || cells.length !== 2)
      throw new Error(`${name}:${line}`);
    return { line, pattern, message };
  });
}

function readTable(name: string): { line: number; cells: string[] }[] {
  const text = fromBytes(readFileSync(new URL(`../../fixtures/patterns/${name}`, import.meta.url)));
  return text
    .split('\n')
    .map((content, index) => ({ line: index + 1, content }))
    .filter(({ content }) => content !== '' && !content.startsWith('# '))
    .map(({ line, content }) => ({ line, cells: content.trimEnd().split(/ {2,}/) }));
}

function emptyOr(cell: string): string {
  return cell === "''" ? '' : cell;
}

function unescape(cell: string): ByteString {
  return cell.replaceAll(/\\(n|\\|x[0-9a-f]{2})/g, (_, escape: string) => {
    if (escape === 'n') return '\n';
    return escape === '\\' ? '\\' : String.fromCharCode(parseInt(escape.slice(1), 16));
  });
}

function readOutcome(cells: readonly string[]): readonly (ByteString | null)[] | null {
  if (cells[0] === 'no') return null;
  if (cells[0] === 'yes') return [];
  return cells.map((cell) => (cell === 'null' ? null : cell.slice(1, -1)));
}
