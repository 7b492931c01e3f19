// The ssl_* files as PEM: which blocks of a file OpenSSL takes, as a chain or as a store of CAs and lists, and which it
// passes over. A block that is passed over is reported; none is dropped without a word.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { toPrintableAscii } from '../../base/bytestring.ts';
import type { Problem } from '../../base/problems.ts';
import { runToEnd, type Steps } from '../../base/steps.ts';
import { readRevocationList } from '../../x509/crl.ts';
import { DerError, DerReader, tags } from '../../x509/der.ts';
import {
  encodePem,
  overlookedBlocks,
  PemError,
  readPem,
  readPemInSteps,
  type PemBlock,
} from '../../x509/pem.ts';
import { errorWords } from './load-problem.ts';

/** A certificate of a file. */
export interface PemCertificate {
  readonly certificate: X509Certificate;
  /** For Node: this certificate alone, re-encoded. */
  readonly pem: string;
  /** From a TRUSTED CERTIFICATE block. */
  readonly isTrusted: boolean;
  readonly line: number;
}

/** A revocation list of a file; nothing but its outer form has been looked at. */
export interface PemList {
  readonly der: Buffer;
  readonly line: number;
}

/** A block that OpenSSL passes over. */
export interface PassedOver {
  readonly line: number;
  /** `X509 CRL`, …; null where OpenSSL does not see that a block begins. */
  readonly label: string | null;
}

const CERTIFICATE = 'CERTIFICATE';
const OLD_CERTIFICATE = 'X509 CERTIFICATE';
const TRUSTED_CERTIFICATE = 'TRUSTED CERTIFICATE';
export const LIST = 'X509 CRL';

/**
 * A file of CAs and lists, read as X509_load_cert_crl_file reads it.
 * Throws PemError, with OpenSSL's reason, where OpenSSL refuses the whole file.
 */
export function readStore(bytes: Uint8Array): PemStore {
  return runToEnd(readStoreInSteps(bytes));
}

/** What a file of CAs and lists holds. */
export interface PemStore {
  readonly certificates: PemCertificate[];
  readonly lists: PemList[];
  readonly passedOver: PassedOver[];
}

/** The same as work that may be interrupted. */
export function* readStoreInSteps(bytes: Uint8Array): Steps<PemStore> {
  const blocks: PemBlock[] = [];
  for (const block of readPemInSteps(bytes)) {
    if (block === undefined) yield;
    else blocks.push(block);
  }
  const certificates: PemCertificate[] = [];
  const lists: PemList[] = [];
  const passedOver: PassedOver[] = [];
  for (const block of blocks) {
    yield;
    const { label, line } = block;
    if (isCertificate(label)) certificates.push(readCertificateBlock(block));
    else if (label === TRUSTED_CERTIFICATE) certificates.push(readTrustedBlock(block));
    else if (label === LIST) lists.push(readListBlock(block));
    else {
      if (label.includes('PRIVATE KEY')) assertKey(block);
      passedOver.push({ line, label });
    }
  }
  if (certificates.length + lists.length === 0) throw new PemError('no certificate or crl found');
  return { certificates, lists, passedOver: sorted([...passedOver, ...overlooked(bytes, blocks)]) };
}

/**
 * A server's chain, its own certificate first, read as SSL_CTX_use_certificate_chain_file reads it.
 * Throws PemError, with OpenSSL's reason, where OpenSSL refuses the file.
 */
export function readChain(bytes: Uint8Array): {
  readonly certificates: readonly [PemCertificate, ...PemCertificate[]];
  readonly passedOver: PassedOver[];
} {
  const blocks: PemBlock[] = [];
  const certificates: PemCertificate[] = [];
  const passedOver: PassedOver[] = [];
  try {
    for (const block of readPem(bytes)) {
      blocks.push(block);
      const { label, line } = block;
      // The first may have trust settings, whatever it is called; a later TRUSTED one is passed over.
      if (certificates.length === 0 && (isCertificate(label) || label === TRUSTED_CERTIFICATE))
        certificates.push(readTrustedBlock(block));
      else if (isCertificate(label)) certificates.push(readCertificateBlock(block));
      else passedOver.push({ line, label });
    }
  } catch (error) {
    const isUnnamed = error instanceof PemError && error.isUnnamed;
    throw isUnnamed && certificates.length > 0 ? new PemError(NO_WORDS) : error;
  }
  const [leaf, ...rest] = certificates;
  if (leaf === undefined) throw new PemError('no start line');
  return { certificates: [leaf, ...rest], passedOver: sorted([...passedOver, ...overlooked(bytes, blocks)]) };
}

/** What PostgreSQL prints where OpenSSL fails and says nothing. */
const NO_WORDS = 'no SSL error reported';

/**
 * A file of ssl_crl_dir, read as X509_load_crl_file reads it: the lists before a block that OpenSSL refuses count.
 * @returns `error` null, or OpenSSL's reason for not reading on
 */
export function* readLists(
  bytes: Uint8Array,
): Steps<{ readonly lists: readonly PemList[]; readonly error: string | null }> {
  const lists: PemList[] = [];
  try {
    for (const block of readPemInSteps(bytes)) {
      if (block === undefined) yield;
      else if (block.label === LIST) lists.push(readListBlock(block));
    }
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    return { lists, error: error.message };
  }
  return { lists, error: lists.length === 0 ? 'no start line' : null };
}

function isCertificate(label: string): boolean {
  return label === CERTIFICATE || label === OLD_CERTIFICATE;
}

function sorted(places: PassedOver[]): PassedOver[] {
  return places.toSorted((a, b) => a.line - b.line);
}

function overlooked(bytes: Uint8Array, blocks: readonly PemBlock[]): PassedOver[] {
  return overlookedBlocks(bytes, blocks).map((line) => ({ line, label: null }));
}

function readCertificateBlock(block: PemBlock): PemCertificate {
  // As PEM: in DER Node looks for a PEM block first, and a certificate may hold one as a comment.
  const pem = encodePem(CERTIFICATE, firstElement(block));
  return { certificate: parsedCertificate(pem), pem, isTrusted: false, line: block.line };
}

/** A certificate and after it, perhaps, what it is trusted for; nothing else may follow it. */
function readTrustedBlock(block: PemBlock): PemCertificate {
  assertPlain(block.header);
  const isTrusted = block.label === TRUSTED_CERTIFICATE;
  const pem = encodePem(TRUSTED_CERTIFICATE, block.der);
  const certificate = parsedCertificate(pem);
  return {
    certificate,
    pem: isTrusted ? pem : encodePem(CERTIFICATE, certificate.raw),
    isTrusted,
    line: block.line,
  };
}

function parsedCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new PemError(errorWords(error, 'nested asn1 error'));
  }
}

function readListBlock(block: PemBlock): PemList {
  const der = firstElement(block);
  try {
    readRevocationList(der);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    // Not strict DER, or a name that we cannot print. SECURITY: only OpenSSL may say that it is not a list.
    assertOpensslReads(der, error);
  }
  return { der, line: block.line };
}

/** Node keeps no reason for a list that OpenSSL cannot read. These are OpenSSL's words for our reader's. */
const wordsOf: Readonly<Record<string, string>> = {
  'unexpected tag': 'wrong tag',
  'element is longer than what holds it': 'too long',
};

function assertOpensslReads(der: Buffer, { message }: DerError): void {
  try {
    createSecureContext({ ca: [], crl: encodePem(LIST, der) });
  } catch {
    throw new PemError(wordsOf[message] ?? 'nested asn1 error');
  }
}

/**
 * The block's first element. What follows it is passed over, as OpenSSL's d2i functions do. Bytes that are not strict
 * DER are left to OpenSSL, which takes some of them.
 */
function firstElement(block: PemBlock): Buffer {
  assertPlain(block.header);
  try {
    const reader = new DerReader(block.der);
    const element = reader.read(tags.sequence);
    return reader.atEnd ? block.der : Buffer.from(reader.encodingOf(element));
  } catch (error) {
    if (error instanceof DerError) return block.der;
    throw error;
  }
}

/**
 * PEM_get_EVP_CIPHER_INFO on a block's header. An encrypted certificate or list is never read: OpenSSL tries the empty
 * passphrase, and nobody encrypts with that.
 */
function assertPlain(header: string): void {
  if (header === '') return;
  if (!header.startsWith('Proc-Type:')) throw new PemError('not proc type');
  if (!/^Proc-Type:[ \t]*4,[ \t]*ENCRYPTED\s/.test(header)) throw new PemError('not encrypted');
  throw new PemError('bad decrypt');
}

/** OpenSSL refuses a store with a broken private key in it, though it makes no use of keys there. */
function assertKey({ label, header, der }: PemBlock): void {
  if (label === 'ENCRYPTED PRIVATE KEY' || header.length > 10) return;
  try {
    createPrivateKey(encodePem(label, der));
  } catch (error) {
    throw new PemError(errorWords(error, 'unsupported'));
  }
}

/** Labels that belong beside a server's certificate: many keep the key in the same file. */
const BESIDE_CHAIN = /PRIVATE KEY$|PARAMETERS$/;

/** A warning for each block that is passed over. */
export function passedOverWarnings(file: string, places: readonly PassedOver[]): Problem[] {
  return places.map(({ line, label }) =>
    label === null
      ? {
          file,
          line,
          message: 'the block that begins on this line is not read',
          hint: 'A block must begin at the start of its line, with nothing after it on the line, outside other blocks.',
        }
      : { file, line, message: `this ${toPrintableAscii(label)} block is not used` },
  );
}

/** The same for a server's chain, beside which a key may stand. */
export function chainWarnings(file: string, places: readonly PassedOver[]): Problem[] {
  return passedOverWarnings(
    file,
    places.filter(({ label }) => label === null || !BESIDE_CHAIN.test(label)),
  );
}
