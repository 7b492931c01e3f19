// The lines of a server's rule file. Those of a file that it includes stand in the place of its `include`, and each
// `@file` is named absolutely: the gate's file lies in another folder, from where a relative name leads nowhere.

import { fromText, toText, type ByteString } from '../base/bytestring.ts';
import { errnoOf } from '../base/system-error.ts';
import { systemErrorText } from '../rules/bad-line.ts';
import { fieldsOf, logicalLines, WRITTEN } from '../rules/scan.ts';
import type { FileSystem, Place } from '../rules/types.ts';

/** A logical line where it stands. */
export interface PlacedLine extends Place {
  readonly raw: ByteString;
}

/** A line as it was found: a comment or an empty line, an entry, or an include whose file cannot be read. */
export type FoundLine =
  | { readonly kind: 'text'; readonly raw: ByteString }
  | ({ readonly kind: 'entry' } & PlacedLine)
  | ({ readonly kind: 'unreadable'; readonly reason: string } & PlacedLine);

const MAX_DEPTH = 10;

/**
 * Every line of a file and of what it includes, in the order in which PostgreSQL reads them.
 *
 * @throws the error of `fs` where the file itself cannot be read
 */
export function linesOf(file: string, fs: FileSystem, depth = 0): FoundLine[] {
  const found: FoundLine[] = [];
  for (const { raw, line } of logicalLines(fs.readFile(file))) {
    const fields = fieldsOf(raw);
    const [[keyword] = [], [name] = []] = fields;
    const word = keyword?.text ?? '';
    if (fields.length === 0) found.push({ kind: 'text', raw });
    else if (fields.length === 2 && /^include(_if_exists|_dir)?$/.test(word)) {
      for (const each of included(word, name?.text ?? '', { file, line, raw }, fs, depth)) found.push(each);
    } else found.push({ kind: 'entry', file, line, raw });
  }
  return found;
}

function included(
  word: string,
  name: ByteString,
  from: PlacedLine,
  fs: FileSystem,
  depth: number,
): FoundLine[] {
  try {
    if (depth >= MAX_DEPTH) throw new Error('maximum nesting depth exceeded');
    const lines = filesOf(word, name, from.file, fs).flatMap((file) => linesOf(file, fs, depth + 1));
    return [{ kind: 'text', raw: commentOf(from.raw, 'what it names follows') }, ...lines];
  } catch (error) {
    const reason = `what it names could not be read: ${systemErrorText(error)}`;
    return [{ kind: 'unreadable', ...from, reason }];
  }
}

function filesOf(word: string, name: ByteString, from: string, fs: FileSystem): string[] {
  const path = fs.resolve(from, toText(name));
  if (word === 'include_dir') {
    const names = fs.listFiles(path).filter((each) => /^[^.].*\.conf$/.test(each) && each.length >= 6);
    return names.toSorted().map((each) => fs.resolve(`${path}/x`, each));
  }
  return word === 'include' || isThere(path, fs) ? [path] : [];
}

/** SECURITY: a file that is there and cannot be read is not a missing one. A line that rejects may stand in it. */
function isThere(path: string, fs: FileSystem): boolean {
  try {
    fs.readFile(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** `fs` with a way to read of its own. The methods are passed on by name: a spread leaves out those of a class. */
export function readingBy(readFile: FileSystem['readFile'], fs: FileSystem): FileSystem {
  return {
    readFile,
    listFiles: (path) => fs.listFiles(path),
    resolve: (from, relative) => fs.resolve(from, relative),
  };
}

/** `fs` where the line's own file holds nothing but that line. */
export function holdingOnly({ file, raw }: PlacedLine, fs: FileSystem): FileSystem {
  return readingBy((path) => (path === file ? textOf([raw]) : fs.readFile(path)), fs);
}

/** The line with each of its `@file`s named absolutely. */
export function withAbsoluteNames({ file, raw }: PlacedLine, fs: FileSystem): ByteString {
  return raw.replaceAll(WRITTEN, (written) => {
    const [[token] = []] = fieldsOf(written);
    if (token === undefined || token.quoted || !token.text.startsWith('@') || token.text === '@') {
      return written;
    }
    const path = fs.resolve(file, toText(token.text.slice(1)));
    return `@"${fromText(path).replaceAll('"', '""')}"`;
  });
}

/** A line as a comment, with what is to be said of it. That keeps a backslash at its end from joining it to the next. */
export function commentOf(raw: ByteString, reason: string): ByteString {
  const line = raw.replace(/^[ \t\r]+/, '').replace(/[ \t\r]+$/, '');
  return `# pg-gatehouse: ${line}  (${fromText(reason)})`;
}

/**
 * The lines as a file.
 *
 * SECURITY: a backslash at a line's end is doubled, and an empty line takes the second one up. Alone it would join the
 * next line to this one, and a line that rejects would become part of a comment.
 */
export function textOf(lines: readonly ByteString[]): ByteString {
  return lines.map((line) => (line.endsWith('\\') ? `${line}\\\n\n` : `${line}\n`)).join('');
}
