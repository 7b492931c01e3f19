// The private key's file: read only when nobody but its owner can have read it before, by PostgreSQL's rules
// (semantics §2.4).

import { userHint } from './known-mistakes.ts';
import { LoadError } from '../../base/problems.ts';
import type { SourceReader } from '../../base/sources.ts';
import { errorWords, type Refuse } from './load-problem.ts';

/** What the rules look at. */
export interface KeyFileStatus {
  readonly uid: number;
  /** st_mode, file type and permission bits. */
  readonly mode: number;
}

const FILE_TYPE = 0o170000;
const REGULAR_FILE = 0o100000;
const GROUP_AND_OTHERS = 0o077;
/** Group write and execute, and everything for others: what a key of root's must not have. */
const ALL_BUT_GROUP_READ = 0o037;

/**
 * PostgreSQL's objection to a key file, or null.
 * @param effectiveUid this process's; a key of its own user's is held to the stricter rule, but not root's (contract §7.30)
 * @param kind the file as the message names it
 * @internal for tests
 */
export function keyFileObjection(
  path: string,
  status: KeyFileStatus,
  effectiveUid: number,
  kind = 'private key file',
): { readonly message: string; readonly detail?: string } | null {
  if ((status.mode & FILE_TYPE) !== REGULAR_FILE) {
    return { message: `${kind} "${path}" is not a regular file` };
  }
  // SECURITY: the file's owner could open it to others, or put another key in its place.
  if (status.uid !== effectiveUid && status.uid !== 0) {
    return { message: `${kind} "${path}" must be owned by the database user or root` };
  }
  // SECURITY: a key that others can read is theirs as well.
  const forbidden = status.uid === 0 ? ALL_BUT_GROUP_READ : GROUP_AND_OTHERS;
  if ((status.mode & forbidden) !== 0) {
    return {
      message: `${kind} "${path}" has group or world access`,
      detail:
        'File must have permissions u=rw (0600) or less if owned by the database user, or permissions u=rw,g=r (0640) or less if owned by root.',
    };
  }
  return null;
}

/**
 * The file's bytes, links followed.
 * @throws LoadError with PostgreSQL's text when it cannot be read, or may be read by others
 */
export async function readKeyFile(
  path: string,
  { reader, refuse }: { readonly reader: SourceReader; readonly refuse: Refuse },
): Promise<Buffer> {
  try {
    // SECURITY: judged before it is opened and once it is open.
    return await reader.file(path, {
      isSecret: true,
      judge: (status) => assertPrivate(path, status, refuse),
    });
  } catch (error) {
    if (error instanceof LoadError) throw error;
    const verb = isOfStat(error) ? 'access' : 'load';
    const words = errorWords(error, 'unknown error');
    const hint = words === 'Permission denied' ? userHint(path) : {};
    throw refuse(`could not ${verb} private key file "${path}": ${words}`, hint);
  }
}

function isOfStat(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'stat';
}

/**
 * Refuses a file with a secret in it that others can read.
 *
 * @param kind the file as the message names it
 * @throws LoadError
 */
export function assertPrivate(path: string, status: KeyFileStatus, refuse: Refuse, kind?: string): void {
  // Only Windows has no user ids, and PostgreSQL checks nothing there either.
  const effectiveUid = process.geteuid?.();
  if (effectiveUid === undefined) return;
  const objection = keyFileObjection(path, status, effectiveUid, kind);
  if (objection === null) return;
  const { message, ...extra } = objection;
  const isFile = (status.mode & FILE_TYPE) === REGULAR_FILE;
  const chmod = (status.mode & GROUP_AND_OTHERS) !== 0;
  const verbs = { chown: status.uid !== effectiveUid, chmod };
  throw refuse(message, { ...extra, ...(isFile ? userHint(path, verbs) : {}) });
}
