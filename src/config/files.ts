// The only place where configuration files are read: as bytes, up to a limit, with what was read remembered, so
// that the watcher compares with what the last load really saw.

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fromBytes, type ByteString } from '../bytestring.ts';
import { errorCode } from '../rules/problems.ts';
import type { FileSystem } from '../rules/types.ts';

/** No configuration file is larger; what is, is refused as EFBIG. */
export const MAX_FILE_BYTES = 16 * 1024 * 1024;

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
      if (total > MAX_FILE_BYTES) throw Object.assign(new Error(`${path} is too large`), { code: 'EFBIG' });
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

/** What a directory's listing counts as: the names, not the contents. */
export function digestOfListing(names: readonly string[]): string {
  return sha256(names.join('\0'));
}

/** What an unreadable file counts as when contents are compared: errno's name. */
export function errorDigest(error: unknown): string {
  return errorCode(error) ?? 'unreadable';
}

/**
 * The rules' view of the disk (semantics T10, T11), which remembers a digest of every file and every listing that
 * was asked for, of the missing ones too: `seen` is what a later change is measured against.
 */
export class RecordingFileSystem implements FileSystem {
  /** By absolute path: SHA-256 of the content, or errno's name. */
  readonly seen = new Map<string, string>();

  readFile(path: string): ByteString {
    return this.#record(path, () => fromBytes(readBytes(path)), (content) => sha256(content));
  }

  listFiles(path: string): readonly string[] {
    return this.#record(path, () => listFileNames(path), digestOfListing);
  }

  resolve(fromFile: string, relative: string): string {
    return resolve(dirname(fromFile), relative);
  }

  #record<T>(path: string, read: () => T, digest: (result: T) => string): T {
    try {
      const result = read();
      this.seen.set(path, digest(result));
      return result;
    } catch (error) {
      this.seen.set(path, errorDigest(error));
      throw error;
    }
  }
}
