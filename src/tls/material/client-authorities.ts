// ssl_ca_file: the roots that client certificates must lead to (semantics §2.7), and the lists beside them.

import { contentHint } from './known-mistakes.ts';
import type { CertificateSource } from '../settings.ts';
import type { X509Certificate } from 'node:crypto';
import type { Problem } from '../../base/problems.ts';
import type { SourceReader } from '../../base/sources.ts';
import { PemError } from '../../x509/pem.ts';
import { passedOverWarnings, readStore } from './pem-files.ts';
import { errorWords, refusalAt } from './load-problem.ts';
import type { ListInFile } from './revocation-lists.ts';

/** One certificate of the bundle. */
export interface ClientAuthority {
  /** Re-encoded, for Node. */
  readonly pem: string;
  readonly certificate: X509Certificate;
}

/** What ssl_ca_file holds. */
export interface ClientAuthorities {
  readonly authorities: readonly ClientAuthority[];
  /** Revocation lists, which count once revocation is on. */
  readonly lists: readonly ListInFile[];
  readonly warnings: readonly Problem[];
}

/**
 * @returns nothing of each when ssl_ca_file is not set
 * @throws LoadError with PostgreSQL's text
 */
export async function loadClientAuthorities(
  settings: CertificateSource,
  reader: SourceReader,
): Promise<ClientAuthorities> {
  const { ssl_ca_file: caFile } = settings;
  if (caFile === '') return { authorities: [], lists: [], warnings: [] };
  let content: Buffer | undefined;
  try {
    content = await reader.file(caFile);
    return readClientAuthorities(caFile, content);
  } catch (error) {
    const words =
      error instanceof PemError ? error.message : errorWords(error, 'no certificate or crl found');
    const refuse = refusalAt(settings, 'ssl_ca_file', caFile);
    const hint = content === undefined ? {} : contentHint(content, 'certificate');
    throw refuse(`could not load root certificate file "${caFile}": ${words}`, hint);
  }
}

/**
 * The file's content.
 *
 * @throws PemError with the reason that PostgreSQL prints
 * @internal for fuzzing
 */
export function readClientAuthorities(file: string, content: Uint8Array): ClientAuthorities {
  const { certificates, lists, passedOver } = readStore(content);
  // PostgreSQL reads the file twice: into the store, then for the names that it tells clients. The second time only
  // plain certificates count, and there must be one.
  if (certificates.every(({ isTrusted }) => isTrusted)) throw new PemError('no start line');
  return {
    authorities: certificates.map(({ pem, certificate }) => ({ pem, certificate })),
    lists: lists.map((list) => ({ ...list, file })),
    warnings: passedOverWarnings(file, passedOver),
  };
}
