// A development authority's folder: ca.crt, ca.key, ca.crl, and NAME.crt with NAME.key for each certificate that it
// issued. Keys are readable by their owner alone, as PostgreSQL and libpq demand; nothing is overwritten unasked.

import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readRevocationList } from '../tls/crl.ts';
import type { Revocation } from '../tls/crl.ts';
import { readCertificateFacts } from '../tls/identity.ts';
import { readPem } from '../tls/pem.ts';
import { createAuthority, loadAuthority } from './authority.ts';
import type { Authority, CertificateRequest, Issued } from './authority.ts';

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

  get authorityFiles(): CertificateFiles & { readonly crl: string } {
    return { ...this.filesOf('ca'), crl: join(this.directory, 'ca.crl') };
  }

  filesOf(name: string): CertificateFiles {
    return { certificate: join(this.directory, `${name}.crt`), key: join(this.directory, `${name}.key`) };
  }

  /** Makes the folder, a new root and its empty revocation list. Throws FolderError when there is one already. */
  async create(
    request: { readonly subject: string; readonly notAfter: Date },
    { force }: Overwriting,
  ): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    const authority = createAuthority(request);
    const files = this.authorityFiles;
    refuseExisting(Object.values(files), force);
    await writePair(files, authority);
    await writeWhole(files.crl, authority.crl({ nextUpdate: request.notAfter }), PUBLIC_MODE);
  }

  /** Issues a certificate into NAME.crt and NAME.key. Throws FolderError when they exist or there is no authority. */
  async issue(name: string, request: CertificateRequest, { force }: Overwriting): Promise<CertificateFiles> {
    const authority = await this.#authority();
    const files = this.filesOf(name);
    refuseExisting(Object.values(files), force);
    await writePair(files, authority.issue(request));
    return files;
  }

  /**
   * Adds NAME.crt to ca.crl; false when it was there already.
   * Throws FolderError when there is no such certificate, or this authority did not issue it.
   */
  async revoke(name: string): Promise<boolean> {
    const authority = await this.#authority();
    const certificate = new X509Certificate(
      await readOr(this.filesOf(name).certificate, `there is no certificate`),
    );
    const root = new X509Certificate(authority.der);
    if (!certificate.checkIssued(root) || !certificate.verify(root.publicKey)) {
      throw new FolderError(
        `${this.filesOf(name).certificate} was not issued by ${this.authorityFiles.certificate}`,
      );
    }
    const serial = BigInt(readCertificateFacts(certificate.raw).serial);
    const revoked = await this.#revocations();
    if (revoked.some((entry) => entry.serial === serial)) return false;
    const crl = authority.crl({
      revoked: [...revoked, { serial, date: new Date() }],
      nextUpdate: root.validToDate,
    });
    await writeWhole(this.authorityFiles.crl, crl, PUBLIC_MODE);
    return true;
  }

  async #authority(): Promise<Authority> {
    const { certificate, key } = this.authorityFiles;
    const hint = 'there is no authority; make one with "pg-gatehouse pki init"';
    return loadAuthority(await readOr(certificate, hint), await readOr(key, hint));
  }

  async #revocations(): Promise<readonly Revocation[]> {
    const text = await readOr(this.authorityFiles.crl, 'there is no revocation list');
    return [...readPem(Buffer.from(text))].flatMap(({ label, der }) =>
      label === 'X509 CRL' ? [...readRevocationList(der).revoked.entries()] : [],
    );
  }
}

function refuseExisting(files: readonly string[], force: boolean): void {
  const existing = force ? undefined : files.find((file) => existsSync(file));
  if (existing !== undefined) throw new FolderError(`${existing} exists; --force replaces it`);
}

async function readOr(file: string, complaint: string): Promise<string> {
  try {
    return await readFile(file, 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new FolderError(`${file}: ${complaint}`);
    }
    throw error;
  }
}

async function writePair(files: CertificateFiles, issued: Issued): Promise<void> {
  await writeWhole(files.key, issued.key, KEY_MODE);
  await writeWhole(files.certificate, issued.certificate, PUBLIC_MODE);
}

/** Whoever reads the file meanwhile sees the old content or the new one. */
async function writeWhole(file: string, content: string, mode: number): Promise<void> {
  const unfinished = `${file}.${process.pid}.new`;
  try {
    // SECURITY: a new file, made with the mode, and renamed: an old one would keep its own, wider mode.
    await writeFile(unfinished, content, { mode, flag: 'wx' });
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
  }
}
