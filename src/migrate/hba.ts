// A server's pg_hba.conf as the gate's, line by line (contract §8): what works through the gate stays as it is, the rest
// becomes a comment with the reason. What that changes for clients is reported, never decided here.

import { toText, type ByteString } from '../base/bytestring.ts';
import { LoadError } from '../base/problems.ts';
import { loadHba } from '../rules/hba.ts';
import type { FileSystem, HbaRecord, Method, UnsupportedMethod } from '../rules/types.ts';
import {
  commentOf,
  holdingOnly,
  linesOf,
  readingBy,
  textOf,
  withAbsoluteNames,
  type FoundLine,
  type PlacedLine,
} from './included.ts';
import { admittedBy } from './overlap.ts';
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

interface Kept extends PlacedLine, KeptLine {
  readonly kind: 'kept';
  /** What was changed; null = nothing that an operator should know of. */
  readonly change: string | null;
}

interface Dropped extends PlacedLine {
  readonly kind: 'dropped';
  /** Null where PostgreSQL refuses the line. */
  readonly record: HbaRecord | null;
  /** Why it is a comment. */
  readonly reason: string;
  readonly serious: boolean;
}

/** What became of one line of a record. */
type Judged = Kept | Dropped;

/** Migrates a file and what it includes, which is written in the place of its `include`. */
export function migrateHba(file: string, fs: FileSystem): MigratedHba {
  const unmarked = readingBy((path) => withoutMark(fs.readFile(path)), fs);
  const out = linesOf(file, unmarked).map((found) => (found.kind === 'text' ? found.raw : judge(found, fs)));
  const judged = out.filter((each) => typeof each !== 'string');
  const kept = judged.filter((each) => each.kind === 'kept');
  const records = judged.map((each) => (each.kind === 'kept' ? each.record : null));
  const notes = judged.flatMap((each, index) => notesOf(each, records.slice(index + 1)));
  const lines = out.flatMap((each) => (typeof each === 'string' ? [each] : written(each)));
  if (kept.length === 0) {
    lines.push('# pg-gatehouse: no line is left that works through the gate, so this one refuses everybody.');
    lines.push('host all all all reject');
  }
  return { text: textOf(lines), kept, notes };
}

/** PostgreSQL refuses a file that begins with a byte order mark; the gate's begins without. */
function withoutMark(content: ByteString): ByteString {
  return content.startsWith('\xef\xbb\xbf') ? content.slice(3) : content;
}

/** One line as it is, or repaired; or why it cannot work. */
function judge(found: Exclude<FoundLine, { kind: 'text' }>, fs: FileSystem): Judged {
  const place = { file: found.file, line: found.line, raw: found.raw };
  if (found.kind === 'unreadable')
    return { ...place, kind: 'dropped', record: null, reason: found.reason, serious: true };
  const record = parsed(place, fs);
  if (typeof record !== 'string') return fitting(place, { record, raw: place.raw, change: null }, fs);
  const better = repaired(place.raw);
  const betterRecord = better === null ? record : parsed({ ...place, raw: better.line }, fs);
  if (better === null || typeof betterRecord === 'string')
    return { ...place, kind: 'dropped', record: null, reason: record, serious: true };
  return fitting(place, { record: betterRecord, raw: better.line, change: better.reason }, fs);
}

/** A line that PostgreSQL takes: it stays unless it cannot work through the gate. */
function fitting(
  place: PlacedLine,
  { record, raw, change }: { record: HbaRecord; raw: ByteString; change: string | null },
  fs: FileSystem,
): Judged {
  const reason = reasonOf(record);
  if (reason !== null) return { ...place, kind: 'dropped', record, reason, serious: false };
  return { ...place, kind: 'kept', record, text: withAbsoluteNames({ ...place, raw }, fs), change };
}

/** The record, or PostgreSQL's error. */
function parsed(place: PlacedLine, fs: FileSystem): HbaRecord | string {
  try {
    const [record] = loadHba(place.file, holdingOnly(place, fs), { ssl: true, roles: new Map() }).records;
    return record === undefined ? 'the line has no entry' : { ...record, line: place.line };
  } catch (error) {
    if (error instanceof LoadError) return error.problems[0]?.message ?? error.message;
    throw error;
  }
}

/** Why a line that PostgreSQL takes cannot work through the gate; null = it can. */
function reasonOf({ type, method }: HbaRecord): string | null {
  if (type === 'local') return 'clients reach the gate over TCP, so a local line cannot match';
  if (type === 'hostgssenc') return 'the gate has no GSSAPI encryption, so the line cannot match';
  if (!UNSUPPORTED.has(method)) return null;
  return `the gate cannot carry out method ${method}; write cert or a password method in its place`;
}

const UNSUPPORTED: ReadonlySet<Method> = new Set<UnsupportedMethod>(['ident', 'gss', 'sspi', 'oauth']);

/** @param later the records of the lines after this one; null for those that do not stay */
function notesOf(judged: Judged, later: readonly (HbaRecord | null)[]): Note[] {
  const { file, line, record } = judged;
  const note = (reason: string, serious: boolean): Note => ({ file, line, reason, serious });
  const taken = (taker: HbaRecord | null): Note[] =>
    taker === null ? [] : [note(`line ${taker.line} would now admit its clients`, true)];
  if (judged.kind === 'dropped') {
    const met = record === null ? null : asMetByTheGate(record);
    const taker = met === null ? null : admittedBy(met, later);
    return [note(judged.reason, judged.serious || taker !== null), ...taken(taker)];
  }
  const { change, text } = judged;
  const changed = change === null ? [] : [note(`${change}; it is now: ${toText(text)}`, false)];
  if (!asksForRoles(judged.record)) return changed;
  const isReject = judged.record.method === 'reject';
  const taker = isReject ? null : admittedBy(judged.record, later);
  return [...changed, note(NO_ROLES, isReject || taker !== null), ...taken(taker)];
}

/**
 * A dropped record by the connections in which the gate meets its clients; null where it meets none whom the record has
 * let in or kept out.
 *
 * SECURITY: whom a local or hostgssenc line has rejected comes to the gate over TCP and without GSSAPI, like everybody.
 */
function asMetByTheGate(record: HbaRecord): HbaRecord | null {
  if (record.type !== 'local' && record.type !== 'hostgssenc') return record;
  return record.method === 'reject' ? { ...record, type: 'host' } : null;
}

const NO_ROLES =
  'the gate cannot look up members of roles without "auth_user": set it in gatehouse.yaml, or list them under "roles:", else the line matches only the user who has the name of the role';

function asksForRoles({ users, databases }: HbaRecord): boolean {
  return users.some(({ kind }) => kind === 'member') || databases.some(({ kind }) => kind === 'samerole');
}

function written(judged: Judged): ByteString[] {
  if (judged.kind === 'dropped') return [commentOf(judged.raw, judged.reason)];
  return judged.change === null ? [judged.text] : [commentOf(judged.raw, judged.change), judged.text];
}
