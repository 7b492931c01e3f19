// ssl_crl_dir as OpenSSL looks into it: for each issuer the files HASH.r0, HASH.r1 and so on, up to the first that is
// missing or cannot be read. A file that is wrong concerns its issuer alone, whose clients are then refused: the other
// issuers' lists must never wait for it.

import { join } from 'node:path';
import type { Problem } from '../../base/problems.ts';
import type { SourceReader } from '../../base/sources.ts';
import { inSlices } from '../../base/slices.ts';
import { readRevocationList } from '../../x509/crl.ts';
import { DerError } from '../../x509/der.ts';
import { nameHash } from '../../x509/name-hash.ts';
import { readLists } from './pem-files.ts';
import { errorWords } from './load-problem.ts';
import type { ListInFile } from './revocation-lists.ts';

const HASHED_NAME = /^([0-9a-f]{8})\.r(0|[1-9]\d*)$/;

/**
 * The lists that OpenSSL would find at a handshake, and a warning for each file that it would not use.
 * PostgreSQL reads them handshake by handshake; here they are read when loading, and again when one changes.
 * Rejects with the system's error when the directory cannot be read.
 */
export async function crlDirectoryLists(
  directory: string,
  reader: SourceReader,
): Promise<{ readonly lists: readonly ListInFile[]; readonly warnings: readonly Problem[] }> {
  const names = await reader.listing(directory);
  const numbersByHash = new Map<string, number[]>();
  for (const name of names.toSorted()) {
    const [, hash, number] = HASHED_NAME.exec(name) ?? [];
    if (hash === undefined) continue;
    const numbers = numbersByHash.get(hash) ?? [];
    numbersByHash.set(hash, [...numbers, Number(number)]);
  }
  const lists: ListInFile[] = [];
  const warnings: Problem[] = names.length > 0 && numbersByHash.size === 0 ? [noHashedName(directory)] : [];
  for (const [hash, numbers] of numbersByHash) {
    const found = await listsOfIssuer(directory, { hash, numbers, reader });
    lists.push(...found.lists);
    warnings.push(...found.warnings);
  }
  return { lists, warnings };
}

function noHashedName(directory: string): Problem {
  return {
    file: directory,
    line: null,
    message: 'no file of this directory has the name by which OpenSSL looks for revocation lists',
    hint: 'Run "openssl rehash" on the directory.',
  };
}

/** The files of one issuer: `HASH.r0`, `HASH.r1` and so on. */
interface IssuerFiles {
  readonly hash: string;
  readonly numbers: readonly number[];
  readonly reader: SourceReader;
}

async function listsOfIssuer(
  directory: string,
  { hash, numbers, reader }: IssuerFiles,
): Promise<{ readonly lists: ListInFile[]; readonly warnings: Problem[] }> {
  const lists: ListInFile[] = [];
  const warnings: Problem[] = [];
  /** Why OpenSSL looks no further, once it does not. */
  let end: string | null = null;
  for (const [expected, number] of numbers.toSorted((a, b) => a - b).entries()) {
    const file = join(directory, `${hash}.r${number}`);
    // SECURITY: a list that OpenSSL would not find must not let in whom OpenSSL refuses.
    if (number !== expected) end ??= `"${join(directory, `${hash}.r${expected}`)}" is not there`;
    if (end !== null) {
      warnings.push(warning(file, `this revocation list is not used, because ${end}`));
      continue;
    }
    const found = await listsOfHashedFile(file, { hash, reader });
    lists.push(...found.lists);
    warnings.push(...found.warnings);
    if (!found.isWhole) end = `"${file}" cannot be read`;
  }
  return { lists, warnings };
}

function warning(file: string, message: string): Problem {
  return {
    file,
    line: null,
    message,
    hint: 'As with OpenSSL, it is missing: without another current list the clients of its issuer are refused.',
  };
}

async function listsOfHashedFile(
  file: string,
  { hash, reader }: Pick<IssuerFiles, 'hash' | 'reader'>,
): Promise<{ readonly lists: ListInFile[]; readonly warnings: Problem[]; readonly isWhole: boolean }> {
  let content: Buffer;
  try {
    content = await reader.file(file);
  } catch (error) {
    return { lists: [], warnings: [unreadable(file, errorWords(error, 'unknown error'))], isWhole: false };
  }
  const { lists, error } = await inSlices(readLists(content));
  const own = lists.filter((list) => issuerHash(list.der) === hash).map((list) => ({ ...list, file }));
  const warnings = error === null ? [] : [unreadable(file, error)];
  if (own.length < lists.length) {
    warnings.push(warning(file, 'this file holds a list of an issuer whose name has another hash'));
  }
  return { lists: own, warnings, isWhole: error === null };
}

function unreadable(file: string, words: string): Problem {
  return warning(file, `could not read this revocation list: ${words}`);
}

/** Null for what cannot be read: OpenSSL would not find it under any name. */
function issuerHash(der: Buffer): string | null {
  try {
    return nameHash(readRevocationList(der).issuerDer);
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}
