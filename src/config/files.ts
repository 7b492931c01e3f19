// The only place where configuration files are read: as bytes, up to a limit, with what was read remembered, so
// that the watcher compares with what the last load really saw.

import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync, readdirSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fromBytes, type ByteString } from '../bytestring.ts';
import { errorCode } from '../rules/problems.ts';
import type { FileSystem } from '../rules/types.ts';

/** No configuration file is larger; what is, is refused as EFBIG. */
export const MAX_FILE_BYTES = 16 * 1024 * 1024;

const TOO_LARGE = 'EFBIG';
const CHUNK_BYTES = 64 * 1024;

/** The file's bytes. Throws an Error whose `code` is errno's name; EFBIG beyond MAX_FILE_BYTES. */
export function readBytes(path: string): Buffer {
  const descriptor = openSync(path, 'r');
  try {
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const length = readSync(descriptor, chunk);
      if (length === 0) return Buffer.concat(chunks);
      total += length;
      // Counted while reading, not asked of fstat: devices and growing files have no honest size.
      if (total > MAX_FILE_BYTES) throw Object.assign(new Error(`${path} is too large`), { code: TOO_LARGE });
      chunks.push(chunk.subarray(0, length));
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Names in a directory, in byte order, that are not directories themselves once links are followed. */
export function listFileNames(path: string): readonly string[] {
  return readdirSync(path)
    .filter((name) => !isDirectory(join(path, name)))
    .toSorted();
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // a dangling link: the reader that wants it reports it
  }
}

/** Hexadecimal SHA-256. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * A file's content or a directory's list of names, as it was when last looked at: SHA-256, or errno's name where it
 * could not be read. Null = not known, or nothing that could be compared (a pipe, a device).
 */
export interface Source {
  readonly kind: 'file' | 'listing';
  readonly digest: string | null;
}

/** Sources by absolute path, those that are missing and were looked for included. */
export type Sources = ReadonlyMap<string, Source>;

/**
 * What a source is now. Read in pieces off the event loop's back, however large it is; links are followed, so that
 * a swapped link is a changed content. Never throws.
 */
export async function digestSource(path: string, kind: Source['kind']): Promise<string | null> {
  try {
    if (kind === 'listing') return digestOfListing(listFileNames(path));
    const stats = await stat(path);
    if (stats.isDirectory()) return 'EISDIR';
    if (!stats.isFile()) return null;
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path)) hash.update(chunk);
    return hash.digest('hex');
  } catch (error) {
    return errorCode(error);
  }
}

/**
 * Adds what was seen of a path. Two different sights of it in one load mean that it changed on the way: that is
 * no state at all, and the next look finds it changed.
 */
export function noteSource(sources: Map<string, Source>, path: string, source: Source): void {
  const earlier = sources.get(path);
  const differs = earlier !== undefined && earlier.digest !== source.digest;
  sources.set(path, differs ? { ...source, digest: 'changed while it was read' } : source);
}

function digestOfListing(names: readonly string[]): string {
  return sha256(names.join('\0'));
}

/** The rules' view of the disk (semantics T10, T11), which remembers what it has shown. */
export class RecordingFileSystem implements FileSystem {
  readonly seen = new Map<string, Source>();

  readFile(path: string): ByteString {
    return this.#record(path, 'file', () => {
      const bytes = readBytes(path);
      return { result: fromBytes(bytes), digest: statSync(path).isFile() ? sha256(bytes) : null };
    });
  }

  listFiles(path: string): readonly string[] {
    return this.#record(path, 'listing', () => {
      const names = listFileNames(path);
      return { result: names, digest: digestOfListing(names) };
    });
  }

  resolve(fromFile: string, relative: string): string {
    return resolve(dirname(fromFile), relative);
  }

  #record<T>(path: string, kind: Source['kind'], read: () => { result: T; digest: string | null }): T {
    try {
      const { result, digest } = read();
      noteSource(this.seen, path, { kind, digest });
      return result;
    } catch (error) {
      const code = errorCode(error);
      // A file that is too large has a digest all the same, which is not known here.
      noteSource(this.seen, path, { kind, digest: code === TOO_LARGE ? null : code });
      throw error;
    }
  }
}
