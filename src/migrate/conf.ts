// postgresql.conf and the files that it includes: what of them is the gate's too (contract §8). Read as PostgreSQL reads
// them: each where it is named, and the last value wins.

import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { toText, type ByteString } from '../base/bytestring.ts';
import { LoadError, type Problem } from '../base/problems.ts';
import { errnoOf, systemMessage } from '../base/system-error.ts';
import { olderNames } from '../config/schema.ts';

/** One setting as written. */
export interface ConfSetting {
  readonly value: ByteString;
  readonly file: string;
  readonly line: number;
}

/** A line of the file: where it stands, and what it sets. */
interface ConfLine extends ConfSetting {
  readonly name: string;
}

/** What ALTER SYSTEM has set: the server reads it after postgresql.conf. */
const AUTO_CONF = 'postgresql.auto.conf';

/** CONF_FILE_MAX_DEPTH of PostgreSQL. */
const MAX_DEPTH = 10;

/** A name, and its value in quotes or plain. Of the equals sign and the blanks none need be there before a quote. */
const LINE =
  /^[ \t\r]*([A-Za-z_\x80-\xff][\w.$\x80-\xff]*)(?![\w.$\x80-\xff])[ \t\r]*=?[ \t\r]*(?:'((?:[^'\\]|''|\\.)*)'|([^ \t\r#'=]+))/;

/**
 * The settings by name, in lower case, and by today's name where it has another: of two names for one setting, too, the
 * last value wins. Lines that set nothing are passed over: the server has judged them.
 *
 * @throws LoadError where a file cannot be read
 */
export async function readConf(file: string): Promise<ReadonlyMap<string, ConfSetting>> {
  const settings = new Map<string, ConfSetting>();
  const take = async (lines: AsyncIterable<ConfLine>): Promise<void> => {
    for await (const { name, ...setting } of lines) {
      settings.set(olderNames.get(name) ?? name, setting);
    }
  };
  await take(linesOf(file, await reading(file, async () => await readFile(file, 'latin1')), 0));
  const directory = resolve(dirname(file), toText(settings.get('data_directory')?.value ?? '.'));
  const auto = join(directory, AUTO_CONF);
  const text = await reading(auto, async () => await readIfThere(auto));
  if (text !== null) await take(linesOf(auto, text, 0));
  return settings;
}

async function* linesOf(file: string, text: string, depth: number): AsyncGenerator<ConfLine> {
  for (const [index, line] of text.split('\n').entries()) {
    const [, written, inQuotes, plain] = LINE.exec(line) ?? [];
    if (written === undefined) continue;
    const name = written.toLowerCase();
    const value = inQuotes === undefined ? (plain ?? '') : unquoted(inQuotes);
    const setting = { name, value, file, line: index + 1 };
    if (name === 'include' || name === 'include_if_exists' || name === 'include_dir') {
      yield* included(name, setting, depth + 1);
    } else yield setting;
  }
}

async function* included(
  how: 'include' | 'include_if_exists' | 'include_dir',
  from: ConfSetting,
  depth: number,
): AsyncGenerator<ConfLine> {
  const target = resolve(dirname(from.file), toText(from.value));
  if (depth > MAX_DEPTH) throw problemAt(from, target, 'file', 'maximum nesting depth exceeded');
  try {
    if (how === 'include_dir') {
      for (const file of await filesIn(target)) yield* linesOf(file, await readFile(file, 'latin1'), depth);
      return;
    }
    const text = how === 'include' ? await readFile(target, 'latin1') : await readIfThere(target);
    if (text !== null) yield* linesOf(target, text, depth);
  } catch (error) {
    if (error instanceof LoadError) throw error;
    throw problemAt(from, target, how === 'include_dir' ? 'directory' : 'file', systemMessage(error));
  }
}

/** The files that include_dir takes, in its order: by their bytes, `.conf`, none hidden. */
async function filesIn(directory: string): Promise<string[]> {
  const names = (await readdir(directory, 'latin1')).filter(
    (name) => name.endsWith('.conf') && !name.startsWith('.'),
  );
  const files: string[] = [];
  // Of Latin-1 the order of characters is that of bytes.
  for (const name of names.toSorted((a, b) => (a < b ? -1 : 1))) {
    const file = join(directory, Buffer.from(name, 'latin1').toString());
    if (!(await stat(file)).isDirectory()) files.push(file);
  }
  return files;
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'latin1');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** A file that no line names is itself the place of what is wrong with it. */
async function reading<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw problemAt({ file, line: null }, file, 'file', systemMessage(error));
  }
}

function problemAt(
  { file, line }: Pick<Problem, 'file' | 'line'>,
  target: string,
  what: 'file' | 'directory',
  why: string,
): LoadError {
  return new LoadError([{ file, line, message: `could not open configuration ${what} "${target}": ${why}` }]);
}

/** What is written otherwise than it is read. */
const ESCAPE = /''|\\([0-7]{1,3}|[^])/g;

const CONTROLS: Readonly<Record<string, ByteString>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** A value without its quotes, as GUC_scanstr of guc-file.l reads it. A NUL ends it. */
function unquoted(text: ByteString): ByteString {
  const value = text.replaceAll(ESCAPE, (_, code: string | undefined) => {
    if (code === undefined) return "'";
    if (/^[0-7]/.test(code)) return String.fromCharCode(parseInt(code, 8) & 0xff);
    return CONTROLS[code] ?? code;
  });
  return value.replace(/\0[^]*$/, '');
}
