// What a load reads, remembered as it was found. The hash, the watcher and the next reload all follow this one list, so
// that no file can be in one of them and missing in another.

import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { listDirectory, MAX_FILE_BYTES, readRegularFile, type ReadOptions } from './regular-file.ts';
import { nextTurn } from './slices.ts';
import { errnoOf } from './system-error.ts';

/** One file or directory as it was when it was read. */
export interface Source {
  readonly kind: 'file' | 'listing';
  /** SHA-256 of the content or of the names; errno's name where it could not be read. Null = not known. */
  readonly digest: string | null;
  /** It may hold a private key or a password. */
  readonly isSecret: boolean;
  /** Owner and mode of a file that only its owner may read, as they were judged; absent where nobody asked. */
  readonly access?: string;
}

/** Sources by absolute path, those that are missing and were looked for included. */
export type Sources = ReadonlyMap<string, Source>;

export interface SourceOptions extends Pick<ReadOptions, 'limit' | 'judge'> {
  /** The file is there to hold a private key or a password. A file in which a key is found is secret unasked. */
  readonly isSecret?: boolean;
}

/** Every loader reads through this, so that each file that it reads is on the list. */
export class SourceReader {
  readonly #sources = new Map<string, Source>();

  /** Everything that was read or looked for. Grows with each read. */
  get sources(): Sources {
    return this.#sources;
  }

  /**
   * A regular file's bytes.
   *
   * @throws as readRegularFile
   */
  async file(path: string, { isSecret = false, judge, ...options }: SourceOptions = {}): Promise<Buffer> {
    let access: string | undefined;
    const judgeAndNote = (stats: Stats): void => {
      access = accessOf(stats);
      judge?.(stats);
    };
    try {
      const bytes = await readRegularFile(path, {
        ...options,
        ...(judge === undefined ? {} : { judge: judgeAndNote }),
      });
      const { digest, holdsKey } = await inspect(bytes);
      this.note(path, {
        kind: 'file',
        digest,
        isSecret: isSecret || holdsKey,
        ...(access === undefined ? {} : { access }),
      });
      return bytes;
    } catch (error) {
      this.note(path, { kind: 'file', digest: digestOfFailure(error), isSecret });
      throw error;
    }
  }

  /**
   * The names in a directory.
   *
   * @throws as listDirectory
   */
  async listing(path: string): Promise<readonly string[]> {
    try {
      const names = await listDirectory(path);
      this.note(path, { kind: 'listing', digest: digestOfListing(names), isSecret: false });
      return names;
    } catch (error) {
      this.note(path, { kind: 'listing', digest: digestOfFailure(error), isSecret: false });
      throw error;
    }
  }

  /** Adds what was read elsewhere, such as in the process that read it first. */
  note(path: string, source: Source): void {
    noteSource(this.#sources, path, source);
  }
}

/**
 * Adds one reading of a path. Two readings of one load that differ mean that the path changed during the load. Then no
 * digest is right, and the next look finds it changed.
 */
export function noteSource(sources: Map<string, Source>, path: string, source: Source): void {
  const earlier = sources.get(path);
  const differs = earlier !== undefined && earlier.digest !== source.digest;
  sources.set(path, {
    ...earlier,
    ...source,
    ...(differs ? { digest: 'changed while it was read' } : {}),
    isSecret: source.isSecret || earlier?.isSecret === true,
  });
}

function accessOf({ uid, mode }: Stats): string {
  return `${uid} ${mode}`;
}

/** Owner and mode of a file now, as a source's `access`; errno's name where they cannot be had. Never throws. */
export async function digestAccess(path: string): Promise<string | null> {
  let access = '';
  try {
    await readRegularFile(path, { judge: (stats) => void (access = accessOf(stats)), onPiece: () => {} });
    return access;
  } catch (error) {
    return errnoOf(error);
  }
}

/** What a source is now. Links are followed, so that a swapped link is a changed content. Never throws. */
export async function digestSource(path: string, kind: Source['kind']): Promise<string | null> {
  try {
    if (kind === 'listing') return digestOfListing(await listDirectory(path));
    const hash = createHash('sha256');
    await readRegularFile(path, { limit: MAX_FILE_BYTES, onPiece: (piece) => void hash.update(piece) });
    return hash.digest('hex');
  } catch (error) {
    return errnoOf(error);
  }
}

/**
 * One hash over sources, in the order of their paths, so that the order of reading does not matter.
 *
 * @param taken what was taken of the secret ones and may be shown, such as a certificate's fingerprint
 */
export function hashOfSources(sources: Sources, taken: readonly string[] = []): string {
  // SECURITY: the hash is shown to anyone who reads the metrics. A digest of a short password could be found by trying.
  const shown = [...sources].filter(([, { isSecret }]) => !isSecret);
  const lines = shown.map(([path, { digest }]) => `${path} ${digest}`);
  return sha256([...taken, ...lines.toSorted()].join('\n'));
}

/** Hexadecimal SHA-256. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

export function digestOfListing(names: readonly string[]): string {
  return sha256(names.join('\0'));
}

/** Null for a file above a limit: the watcher, which has a higher one, sees more of it. */
export function digestOfFailure(error: unknown): string | null {
  const code = errnoOf(error);
  return code === 'EFBIG' ? null : code;
}

const KEY_LABEL = 'PRIVATE KEY';

/** Whether a content holds a private key in PEM. */
export function holdsPrivateKey(content: Buffer): boolean {
  return content.includes(KEY_LABEL);
}

/** A revocation list may have 64 MB, and sessions wait while it is hashed: a turn of the event loop after each piece. */
const PIECE_BYTES = 1024 * 1024;

async function inspect(bytes: Buffer): Promise<{ readonly digest: string; readonly holdsKey: boolean }> {
  const hash = createHash('sha256');
  let holdsKey = false;
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    if (start > 0) await nextTurn();
    hash.update(bytes.subarray(start, start + PIECE_BYTES));
    // A label may lie across two pieces.
    holdsKey ||= holdsPrivateKey(bytes.subarray(Math.max(0, start - KEY_LABEL.length), start + PIECE_BYTES));
  }
  return { digest: hash.digest('hex'), holdsKey };
}
