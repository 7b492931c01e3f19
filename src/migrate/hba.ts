// A server's pg_hba.conf as the gate's, line by line (contract §8): what works through the gate stays as it is, the rest
// becomes a comment with the reason. What that changes for clients is reported, never decided here.

import { toText, type ByteString } from '../base/bytestring.ts';
import { LoadError } from '../base/problems.ts';
import { systemErrorText } from '../rules/bad-line.ts';
import { loadHba } from '../rules/hba.ts';
import { fieldsOf, logicalLines } from '../rules/scan.ts';
import type { FileSystem, HbaRecord, Method, UnsupportedMethod } from '../rules/types.ts';
import { overlaps } from './overlap.ts';
import { repaired } from './repair.ts';

/** Something that an operator should know of, at its place in the server's file. */
export interface Note {
  readonly file: string;
  /** Null where what is missing has no line. */
  readonly line: number | null;
  readonly reason: string;
  /** It could change who gets in. */
  readonly serious: boolean;
}

/** A line that stays. */
export interface KeptLine {
  readonly record: HbaRecord;
  /** The line as the gate has it. */
  readonly text: ByteString;
}

export interface MigratedHba {
  /** The gate's file. */
  readonly text: ByteString;
  readonly kept: readonly KeptLine[];
  readonly notes: readonly Note[];
}

/** What became of one line of a record. */
interface Judged {
  readonly record: HbaRecord | null;
  /** Why it is a comment; null = it stays. */
  readonly reason: string | null;
  /** The line that stands in its place. */
  readonly replacement: ByteString | null;
  readonly serious: boolean;
  readonly file: string;
  readonly line: number;
  readonly raw: ByteString;
}

const MAX_DEPTH = 10;

/** Migrates a file and what it includes, which is written in the place of its `include`. */
export function migrateHba(file: string, fs: FileSystem): MigratedHba {
  const out: (ByteString | Judged)[] = [];
  walk(file, fs, out, 0);
  const judged = out.filter((each): each is Judged => typeof each !== 'string');
  const notes = judged.flatMap((each, index) => notesOf(each, judged.slice(index + 1)));
  const kept = judged.flatMap(({ record, reason, replacement, raw }) =>
    record === null || (reason !== null && replacement === null)
      ? []
      : [{ record, text: replacement ?? raw }],
  );
  const lines = out.flatMap((each) => (typeof each === 'string' ? [each] : linesOf(each)));
  if (kept.length === 0) {
    lines.push('# pg-gatehouse: no line is left that works through the gate, so this one refuses everybody.');
    lines.push('host all all all reject');
  }
  return { text: `${lines.join('\n')}\n`, kept, notes };
}

function walk(file: string, fs: FileSystem, out: (ByteString | Judged)[], depth: number): void {
  const content = withoutMark(fs.readFile(file));
  for (const { raw, line } of logicalLines(content)) {
    const fields = fieldsOf(raw);
    const [[keyword] = [], [name] = []] = fields;
    if (fields.length === 0) out.push(raw);
    else if (fields.length === 2 && /^include(_if_exists|_dir)?$/.test(keyword?.text ?? '')) {
      const included: (ByteString | Judged)[] = [`# pg-gatehouse: ${raw.trim()}  (what it names follows)`];
      try {
        if (depth >= MAX_DEPTH) throw new Error('maximum nesting depth exceeded');
        for (const target of includedFiles(keyword?.text ?? '', fs, file, name?.text ?? '')) {
          walk(target, fs, included, depth + 1);
        }
      } catch (error) {
        const reason = `what it names could not be read: ${systemErrorText(error)}`;
        included.splice(0, included.length, {
          file,
          line,
          raw,
          record: null,
          reason,
          replacement: null,
          serious: true,
        });
      }
      for (const each of included) out.push(each);
    } else out.push(judge(file, line, raw, fs));
  }
}

/** PostgreSQL refuses a file that begins with a byte order mark; the gate's begins without. */
function withoutMark(content: ByteString): ByteString {
  return content.startsWith('\xef\xbb\xbf') ? content.slice(3) : content;
}

function includedFiles(word: string, fs: FileSystem, from: string, name: ByteString): string[] {
  const path = fs.resolve(from, toText(name));
  if (word === 'include_dir') {
    const names = fs.listFiles(path).filter((each) => /^[^.].*\.conf$/.test(each) && each.length >= 6);
    return names.toSorted().map((each) => fs.resolve(`${path}/x`, each));
  }
  if (word === 'include') return [path];
  try {
    fs.readFile(path);
    return [path];
  } catch {
    return [];
  }
}

/** One line as it is, or repaired; or why it cannot work. */
function judge(file: string, line: number, raw: ByteString, fs: FileSystem): Judged {
  const place = { file, line, raw };
  const found = parsed(place, fs);
  if (typeof found !== 'string') {
    const { reason, serious } = reasonOf(found);
    return {
      ...place,
      record: found,
      reason,
      serious,
      replacement: reason === null ? absolute(file, raw, fs) : null,
    };
  }
  const better = repaired(raw);
  const record = better === null ? found : parsed({ ...place, raw: better.line }, fs);
  if (better === null || typeof record === 'string') {
    return { ...place, record: null, reason: found, replacement: null, serious: true };
  }
  const { reason, serious } = reasonOf(record);
  if (reason !== null) return { ...place, record, reason, serious, replacement: null };
  return { ...place, record, reason: better.reason, serious: false, replacement: better.line };
}

/** The record, or PostgreSQL's error. */
function parsed(
  { file, line, raw }: Pick<Judged, 'file' | 'line' | 'raw'>,
  fs: FileSystem,
): HbaRecord | string {
  const one: FileSystem = {
    readFile: (path) => (path === file ? `${raw}\n` : fs.readFile(path)),
    listFiles: (path) => fs.listFiles(path),
    resolve: (from, relative) => fs.resolve(from, relative),
  };
  try {
    const [record] = loadHba(file, one, { ssl: true, roles: new Map() }).records;
    return record === undefined ? 'the line has no entry' : { ...record, line };
  } catch (error) {
    if (error instanceof LoadError) return error.problems[0]?.message ?? error.message;
    throw error;
  }
}

/** Why a line that PostgreSQL takes cannot work through the gate. */
function reasonOf(record: HbaRecord): { readonly reason: string | null; readonly serious: boolean } {
  if (record.type === 'local')
    return dropped('clients reach the gate over TCP, so a local line cannot match');
  if (record.type === 'hostgssenc')
    return dropped('the gate has no GSSAPI encryption, so the line cannot match');
  if (!UNSUPPORTED.has(record.method)) return { reason: null, serious: false };
  return dropped(
    `the gate cannot carry out method ${record.method}; write cert or a password method in its place`,
  );
}

const UNSUPPORTED: ReadonlySet<Method> = new Set<UnsupportedMethod>(['ident', 'gss', 'sspi', 'oauth']);

function dropped(reason: string): { readonly reason: string; readonly serious: boolean } {
  return { reason, serious: false };
}

/** The line with its `@file`s named absolutely, since the gate's file lies elsewhere; null = it has none. */
function absolute(file: string, raw: ByteString, fs: FileSystem): ByteString | null {
  const [, databases = [], users = []] = fieldsOf(raw);
  const names = [...databases, ...users].filter(
    ({ text, quoted }) => !quoted && text.startsWith('@') && text.length > 1,
  );
  if (names.length === 0) return null;
  return names.reduce(
    (line, { text }) => line.replace(text, () => `@"${fs.resolve(file, text.slice(1))}"`),
    raw,
  );
}

function notesOf(judged: Judged, later: readonly Judged[]): Note[] {
  const { file, line, record, reason, replacement } = judged;
  const notes: Note[] = [];
  const note = (text: string, serious: boolean): void =>
    void notes.push({ file, line, reason: text, serious });
  if (reason !== null) {
    const isMet = record !== null && record.type !== 'local' && record.type !== 'hostgssenc';
    const taker = replacement === null && isMet ? admittedBy(record, later) : null;
    note(
      replacement === null ? reason : `${reason}; it is now: ${toText(replacement)}`,
      judged.serious || taker !== null,
    );
    if (taker !== null) note(`line ${taker.line} would now admit its clients`, true);
    return notes;
  }
  const isRoleLine =
    record?.users.some(({ kind }) => kind === 'member') === true ||
    record?.databases.some(({ kind }) => kind === 'samerole') === true;
  if (record === null || !isRoleLine) return notes;
  const taker = record.method === 'reject' ? null : admittedBy(record, later);
  note(
    'the gate cannot look up members of roles without "auth_user": set it in gatehouse.yaml, or list them under "roles:", else the line matches nobody else than a user of the name',
    record.method === 'reject' || taker !== null,
  );
  if (taker !== null) note(`line ${taker.line} would now admit its clients`, true);
  return notes;
}

/** The first later line that stays and admits some client of this one. */
function admittedBy(record: HbaRecord, later: readonly Judged[]): HbaRecord | null {
  const found = later.find(
    (other) =>
      other.record !== null &&
      isKept(other) &&
      other.record.method !== 'reject' &&
      overlaps(record, other.record),
  );
  return found?.record ?? null;
}

function isKept({ reason, replacement }: Judged): boolean {
  return reason === null || replacement !== null;
}

function linesOf({ raw, reason, replacement }: Judged): ByteString[] {
  if (reason === null) return [replacement ?? raw];
  // The reason keeps a backslash at the end of the line from joining it to the next.
  const comment = `# pg-gatehouse: ${raw.trim()}  (${reason})`;
  return replacement === null ? [comment] : [comment, replacement];
}
