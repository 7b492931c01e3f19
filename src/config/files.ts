// What a load reads: each file once, as bytes, with what was read remembered, so that the watcher compares with what
// the last load really saw.

import type { Stats } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { fromBytes, toBytes, type ByteString } from '../base/bytestring.ts';
import { messageOf } from '../base/errors.ts';
import {
  digestOfFailure,
  digestOfListing,
  holdsPrivateKey,
  sha256,
  SourceReader,
  type Sources,
} from '../base/sources.ts';
import { errnoOf } from '../base/system-error.ts';
import { readLinesInSteps } from '../rules/tokens.ts';
import type { FileSystem } from '../rules/types.ts';
import { inSlices } from '../base/slices.ts';

/** The YAML file and rule files are no larger; what is, is refused as EFBIG. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** What a path holds, or why it could not be had. */
type Read<T> = { readonly value: T } | { readonly error: unknown };

/** What one load has read of the disk, as plain data: another process loads the same from it. */
export interface Recording {
  readonly files: ReadonlyMap<string, Recorded<ByteString>>;
  readonly listings: ReadonlyMap<string, Recorded<readonly string[]>>;
}

/** An error is kept by what the loaders look at: errno's name, and words where strerror has none. */
type Recorded<T> =
  | { readonly value: T }
  | { readonly code: string | null; readonly message: string; readonly reason: string | null };

/**
 * The disk as one load sees it (semantics T10, T11). The parsers of rules are pure and synchronous, so everything
 * that they will ask for is read before: `gather` for rule files, `fetch` for one file.
 */
export class RecordingFileSystem implements FileSystem {
  readonly #reader: SourceReader;
  readonly #isSecret: boolean;
  readonly #files = new Map<string, Read<ByteString>>();
  readonly #listings = new Map<string, Read<readonly string[]>>();
  /** All of it comes from a recording: nothing else may be read. */
  #isReplay = false;

  /**
   * @param options.reader lists what is read, perhaps beside what others read
   * @param options.isSecret every file may hold a secret
   */
  constructor({
    reader = new SourceReader(),
    isSecret = false,
  }: { readonly reader?: SourceReader; readonly isSecret?: boolean } = {}) {
    this.#reader = reader;
    this.#isSecret = isSecret;
  }

  /** SECURITY: a replay never looks at the disk, where by now a draft may lie that nobody has reloaded. */
  static replaying({ files, listings }: Recording): RecordingFileSystem {
    const fs = new RecordingFileSystem();
    for (const [path, recorded] of files) fs.#replayFile(path, play(recorded));
    for (const [path, recorded] of listings) fs.#replayListing(path, play(recorded));
    fs.#isReplay = true;
    return fs;
  }

  /** Every file and directory that was read or looked for. */
  get sources(): Sources {
    return this.#reader.sources;
  }

  /** Everything that was read so far. */
  get recording(): Recording {
    return {
      files: new Map([...this.#files].map(([path, read]) => [path, record(read)])),
      listings: new Map([...this.#listings].map(([path, read]) => [path, record(read)])),
    };
  }

  readFile(path: string): ByteString {
    return valueOf(path, this.#files.get(path));
  }

  listFiles(path: string): readonly string[] {
    return valueOf(path, this.#listings.get(path));
  }

  /**
   * An absolute path stays as it is written, as in PostgreSQL. Behind a link to another directory `..` leads to the
   * directory above that one, which a path without its `..` does not.
   */
  resolve(fromFile: string, named: string): string {
    return isAbsolute(named) ? named : resolve(dirname(fromFile), named);
  }

  /** Reads one file. Never rejects: what is wrong is thrown by `readFile`. */
  async fetch(path: string): Promise<void> {
    if (this.#isReplay || this.#files.has(path)) return;
    const read = async (): Promise<ByteString> =>
      fromBytes(await this.#reader.file(path, { limit: MAX_TEXT_BYTES, isSecret: this.#isSecret }));
    this.#files.set(path, await attemptRead(read));
  }

  /**
   * Reads a file that holds a secret, which only its owner may have read.
   *
   * @param judge throws what is wrong with the file's owner or mode; a replay was judged where it was recorded
   */
  async fetchSecret(path: string, judge: (stats: Stats) => void): Promise<void> {
    if (this.#isReplay) {
      const source = this.sources.get(path);
      if (source !== undefined) this.#reader.note(path, { ...source, isSecret: true });
      return;
    }
    const options = { limit: MAX_TEXT_BYTES, judge, isSecret: true };
    this.#files.set(path, await attemptRead(async () => fromBytes(await this.#reader.file(path, options))));
  }

  /** Reads a rule file and all that it names: level by level, as what was read shows what else there is. */
  async gather(file: string): Promise<void> {
    await this.fetch(file);
    const main = this.#files.get(file);
    if (main === undefined || !('value' in main) || !mayNameFiles(main.value)) return;
    for (;;) {
      const scout = new Scout(this, this.#files, this.#listings);
      await inSlices(readLinesInSteps(file, scout));
      if (scout.files.size + scout.listings.size === 0) return;
      for (const path of scout.files) await this.fetch(path);
      for (const path of scout.listings) await this.#fetchListing(path);
    }
  }

  async #fetchListing(path: string): Promise<void> {
    if (this.#isReplay) return;
    this.#listings.set(path, await attemptRead(() => this.#reader.listing(path)));
  }

  #replayFile(path: string, read: Read<ByteString>): void {
    this.#reader.note(path, {
      kind: 'file',
      ...('value' in read
        ? { digest: sha256(toBytes(read.value)), isSecret: holdsPrivateKey(toBytes(read.value)) }
        : { digest: digestOfFailure(read.error), isSecret: false }),
    });
    this.#files.set(path, read);
  }

  #replayListing(path: string, read: Read<readonly string[]>): void {
    const digest = 'value' in read ? digestOfListing(read.value) : digestOfFailure(read.error);
    this.#reader.note(path, { kind: 'listing', digest, isSecret: false });
    this.#listings.set(path, read);
  }
}

/** Shows what has not been read yet as empty, and remembers it. */
class Scout implements FileSystem {
  readonly files = new Set<string>();
  readonly listings = new Set<string>();
  readonly #known: FileSystem;
  readonly #knownFiles: ReadonlyMap<string, unknown>;
  readonly #knownListings: ReadonlyMap<string, unknown>;

  constructor(
    known: FileSystem,
    knownFiles: ReadonlyMap<string, unknown>,
    knownListings: ReadonlyMap<string, unknown>,
  ) {
    this.#known = known;
    this.#knownFiles = knownFiles;
    this.#knownListings = knownListings;
  }

  readFile(path: string): ByteString {
    if (this.#knownFiles.has(path)) return this.#known.readFile(path);
    this.files.add(path);
    return '';
  }

  listFiles(path: string): readonly string[] {
    if (this.#knownListings.has(path)) return this.#known.listFiles(path);
    this.listings.add(path);
    return [];
  }

  resolve(fromFile: string, named: string): string {
    return this.#known.resolve(fromFile, named);
  }
}

/**
 * Whether a rule file can lead to another: most lead to none, and need not be read a second time to see it. A quote or a
 * continued line may stand in the middle of `include`.
 */
function mayNameFiles(content: ByteString): boolean {
  return /[@"]|include|\\[\r\n]/.test(content);
}

function record<T>(read: Read<T>): Recorded<T> {
  if ('value' in read) return read;
  const { error } = read;
  const reason: unknown = error instanceof Error ? Reflect.get(error, 'reason') : null;
  return {
    code: errnoOf(error),
    message: messageOf(error),
    reason: typeof reason === 'string' ? reason : null,
  };
}

function play<T>(read: Recorded<T>): Read<T> {
  if ('value' in read) return read;
  const { code, message, reason } = read;
  return { error: Object.assign(new Error(message), { code, ...(reason === null ? {} : { reason }) }) };
}

async function attemptRead<T>(read: () => Promise<T>): Promise<Read<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    return { error };
  }
}

/** SECURITY: a file that nobody has read is not an empty one. A rule that refuses may stand in it. */
function valueOf<T>(path: string, read: Read<T> | undefined): T {
  if (read === undefined) throw new Error(`${path} was not read before it was needed`);
  if ('error' in read) throw read.error;
  return read.value;
}
