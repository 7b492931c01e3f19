// A development authority's folder: ca.crt, ca.key, ca.crl, ca.index, and NAME.crt with NAME.key for each certificate
// that it issued. Keys are readable by their owner alone, as PostgreSQL and libpq demand; nothing is overwritten unasked.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../base/errors.ts';
import { readRevocationList } from '../x509/crl.ts';
import type { Revocation } from '../x509/crl.ts';
import { readCertificateFacts } from '../x509/identity.ts';
import { readPem } from '../x509/pem.ts';
import { createAuthority, loadAuthority } from './authority.ts';
import type { Authority, CertificateRequest, Issued } from './authority.ts';
import { formatIndex, parseIndex } from './index-file.ts';
import type { IndexEntry } from './index-file.ts';
import { locked, LockedError } from './lock-file.ts';

/** The folder is not in the state that the operation needs. The message is for the person who asked. */
export class FolderError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FolderError';
  }
}

/** The files of one certificate. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface Overwriting {
  /** Replace files that are there; without it they are an error. */
  readonly force: boolean;
}

const KEY_MODE = 0o600;
const PUBLIC_MODE = 0o644;

export class PkiFolder {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  get authorityFiles(): CertificateFiles & { readonly crl: string; readonly index: string } {
    return {
      ...this.filesOf('ca'),
      crl: join(this.directory, 'ca.crl'),
      index: join(this.directory, 'ca.index'),
    };
  }

  filesOf(name: string): CertificateFiles {
    return { certificate: join(this.directory, `${name}.crt`), key: join(this.directory, `${name}.key`) };
  }

  /** Makes the folder, a new root, its empty revocation list and index. Throws FolderError when there is one already. */
  async create(
    request: { readonly subject: string; readonly notAfter: Date },
    { force }: Overwriting,
  ): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    await this.#alone(async () => {
      const authority = createAuthority(request);
      const files = this.authorityFiles;
      refuseExisting(Object.values(files), force);
      await writePair(files, authority);
      await writeWhole(files.crl, authority.crl({ nextUpdate: request.notAfter }), PUBLIC_MODE);
      await writeWhole(files.index, '', PUBLIC_MODE);
    });
  }

  /** Issues a certificate into NAME.crt and NAME.key. Throws FolderError when they exist or there is no authority. */
  async issue(name: string, request: CertificateRequest, { force }: Overwriting): Promise<CertificateFiles> {
    return await this.#alone(async () => {
      const authority = await this.#authority();
      const files = this.filesOf(name);
      refuseExisting(Object.values(files), force);
      const issued = authority.issue(request);
      const entries = [...(await this.#index(authority)), { serial: issued.serial, name }];
      // SECURITY: written down before there is a certificate, so that each can be revoked whenever this ends.
      await writeWhole(this.authorityFiles.index, formatIndex(entries), PUBLIC_MODE);
      await writePair(files, issued);
      return files;
    });
  }

  /**
   * Adds certificates to ca.crl: all that were ever issued for `name`, or the one of a serial number.
   *
   * @returns how many were added; 0 when all of them were there already
   * @throws FolderError when there is no such certificate, or this authority did not issue it
   */
  async revoke(which: { readonly name: string } | { readonly serial: bigint }): Promise<number> {
    return await this.#alone(async () => {
      const authority = await this.#authority();
      const index = await this.#index(authority);
      const wanted = index.filter((entry) =>
        'name' in which ? entry.name === which.name : entry.serial === which.serial,
      );
      if (wanted.length === 0) throw await this.#nothingToRevoke(which);
      const revoked = await this.#revocations();
      const known = new Set(revoked.map(({ serial }) => serial));
      const added = wanted.filter(({ serial }) => !known.has(serial));
      if (added.length === 0) return 0;
      const date = new Date();
      const crl = authority.crl({
        revoked: [...revoked, ...added.map(({ serial }) => ({ serial, date }))],
        nextUpdate: new X509Certificate(authority.der).validToDate,
      });
      await writeWhole(this.authorityFiles.crl, crl, PUBLIC_MODE);
      return added.length;
    });
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await locked(join(this.directory, 'ca.lock'), work);
    } catch (error) {
      if (error instanceof LockedError) throw new FolderError(error.message);
      if (isMissing(error)) throw new FolderError(`${this.directory}: ${NO_AUTHORITY}`);
      throw error;
    }
  }

  async #authority(): Promise<Authority> {
    const { certificate, key } = this.authorityFiles;
    const [certificatePem, keyPem] = [
      await readOr(certificate, NO_AUTHORITY),
      await readOr(key, NO_AUTHORITY),
    ];
    if (parseCertificate(certificatePem) === null)
      throw new FolderError(`${certificate}: there is no certificate in it that can be read`);
    if (!isPrivateKey(keyPem))
      throw new FolderError(`${key}: there is no private key in it that can be read without a passphrase`);
    try {
      return loadAuthority(certificatePem, keyPem);
    } catch (error) {
      throw new FolderError(`${certificate} and ${key}: ${messageOf(error)}`);
    }
  }

  /**
   * All that was issued: the index, and the certificates in the folder that it does not know, as those of a folder from
   * before there was one.
   */
  async #index(authority: Authority): Promise<readonly IndexEntry[]> {
    const { index: file } = this.authorityFiles;
    let entries: readonly IndexEntry[];
    try {
      entries = parseIndex(await readFile(file, 'utf8').catch(emptyWhereMissing));
    } catch (error) {
      throw new FolderError(`${file}: ${messageOf(error)}`);
    }
    const known = new Set(entries.map(({ serial }) => serial));
    const found = await this.#certificatesOf(authority);
    return [...entries, ...found.filter(({ serial }) => !known.has(serial))];
  }

  /** The certificates in the folder that the authority has issued. */
  async #certificatesOf(authority: Authority): Promise<readonly IndexEntry[]> {
    const root = new X509Certificate(authority.der);
    const files = (await readdir(this.directory)).filter(
      (file) => file.endsWith('.crt') && file !== 'ca.crt',
    );
    const entries: IndexEntry[] = [];
    for (const file of files.toSorted()) {
      const certificate = parseCertificate(await readFile(join(this.directory, file), 'latin1'));
      if (certificate === null || !certificate.checkIssued(root) || !certificate.verify(root.publicKey))
        continue;
      const serial = BigInt(readCertificateFacts(certificate.raw).serial);
      entries.push({ serial, name: file.slice(0, -'.crt'.length) });
    }
    return entries;
  }

  async #nothingToRevoke(
    which: { readonly name: string } | { readonly serial: bigint },
  ): Promise<FolderError> {
    const { certificate } = this.authorityFiles;
    if ('serial' in which)
      return new FolderError(`${certificate} has issued no certificate with serial number ${which.serial}`);
    const file = this.filesOf(which.name).certificate;
    await readOr(file, 'there is no certificate');
    return new FolderError(`${file} was not issued by ${certificate}`);
  }

  async #revocations(): Promise<readonly Revocation[]> {
    const { crl } = this.authorityFiles;
    const text = await readOr(crl, 'there is no revocation list');
    try {
      return revocationsIn(text);
    } catch (error) {
      throw new FolderError(`${crl}: ${messageOf(error)}`);
    }
  }
}

const NO_AUTHORITY = 'there is no authority; make one with "pg-gatehouse pki init"';

function parseCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null; // another file of that name
  }
}

function isPrivateKey(pem: string): boolean {
  try {
    createPrivateKey(pem);
    return true;
  } catch {
    return false;
  }
}

/** Throws Error where there is no list, or one that cannot be read. */
function revocationsIn(text: string): readonly Revocation[] {
  const lists = [...readPem(Buffer.from(text, 'latin1'))].filter(({ label }) => label === 'X509 CRL');
  // SECURITY: read as an empty list, it would be written anew, and all that it had revoked would be good again.
  if (lists.length === 0) throw new Error('there is no revocation list in it that can be read');
  return lists.flatMap(({ der }) => [...readRevocationList(der).revoked.entries()]);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function emptyWhereMissing(error: unknown): string {
  if (isMissing(error)) return '';
  throw error;
}

function refuseExisting(files: readonly string[], force: boolean): void {
  const existing = force ? undefined : files.find((file) => existsSync(file));
  if (existing !== undefined) throw new FolderError(`${existing} exists; --force replaces it`);
}

async function readOr(file: string, complaint: string): Promise<string> {
  try {
    return await readFile(file, 'latin1');
  } catch (error) {
    if (isMissing(error)) throw new FolderError(`${file}: ${complaint}`);
    throw error;
  }
}

async function writePair(files: CertificateFiles, issued: Issued): Promise<void> {
  await writeWhole(files.key, issued.key, KEY_MODE);
  await writeWhole(files.certificate, issued.certificate, PUBLIC_MODE);
}

/** Anyone who reads the file meanwhile, or after a crash, sees the old content or the new one. */
async function writeWhole(file: string, content: string, mode: number): Promise<void> {
  const unfinished = `${file}.${process.pid}.new`;
  try {
    // SECURITY: a new file, made with the mode, and renamed: an old one would keep its own, wider mode.
    const handle = await open(unfinished, 'wx', mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
  }
}
