// Certificate revocation lists: from files to what Node's `crl` option takes, and to what /certificates, the metrics
// and a reload's second look at live sessions need to know (semantics §2.8).

import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { LoadError } from '../errors.ts';
import { listDirectory, readRegularFile } from '../regular-file.ts';
import { decodeInteger, decodeTime, DerError, DerReader, tags } from './der.ts';
import { MAX_SERIAL_BYTES } from './identity.ts';
import { formatForLog, formatRfc2253, readName } from './name.ts';
import type { DistinguishedName } from './name.ts';
import { pemBlocks, pemBytes } from './pem.ts';
import { errorWords, type Refuse } from './refusal.ts';
import type { CrlInUse } from './types.ts';

/** The revocation lists of a file or a directory. */
export interface CrlSet {
  readonly crls: readonly CrlInUse[];
  /** For Node's `crl` option, one list each, never empty: Node loads only the first of a text that holds several. */
  readonly pems: readonly string[];
  /** Files and directories that were read, for the watcher. */
  readonly files: readonly string[];
}

/** What a certificate revocation list says (RFC 5280 §5.1). */
export interface RevocationList {
  readonly issuer: DistinguishedName;
  readonly lastUpdate: Date;
  /** Null when the list does not say. */
  readonly nextUpdate: Date | null;
  readonly revoked: readonly Revocation[];
}

export interface Revocation {
  readonly serial: bigint;
  readonly date: Date;
}

/**
 * The lists of a PEM file, as many as it holds, or the one of a DER file.
 * @param refuse makes the error; unless told, one that blames the file itself
 * Throws LoadError `could not load SSL certificate revocation list file "%s": %s`.
 */
export async function readCrlFile(file: string, refuse: Refuse = blaming(file)): Promise<CrlSet> {
  const lists = await loading(`file "${file}"`, refuse, () => listsOfFile(file));
  return setOf(lists, [file]);
}

/**
 * The lists in a directory's files of OpenSSL's hashed names, `HHHHHHHH.rN`; other names are passed over.
 * PostgreSQL reads them handshake by handshake; here they are read when loading, and again when one changes.
 * @param refuse makes the error; unless told, one that blames the directory itself
 * Throws LoadError `could not load SSL certificate revocation list directory "%s": %s`.
 */
export async function readCrlDirectory(
  directory: string,
  refuse: Refuse = blaming(directory),
): Promise<CrlSet> {
  const lists = await loading(`directory "${directory}"`, refuse, () => listsOfDirectory(directory));
  return setOf(lists, [directory, ...lists.map((list) => list.facts.file)]);
}

/** One list: what it says, and itself. */
interface LoadedList {
  readonly facts: CrlInUse;
  readonly pem: string;
}

function setOf(lists: readonly LoadedList[], files: readonly string[]): CrlSet {
  return {
    crls: lists.map((list) => list.facts),
    // SECURITY: Node checks revocation only when it is given a list, and an empty directory must let nobody in.
    pems: lists.length === 0 ? [listOfNobody] : lists.map((list) => list.pem),
    files: [...new Set(files)],
  };
}

function blaming(file: string): Refuse {
  return (message, extra = {}) => new LoadError([{ file, line: null, message, ...extra }]);
}

async function loading<T>(what: string, refuse: Refuse, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const words =
      error instanceof DerError ? error.message : errorWords(error, 'no certificate or crl found');
    throw refuse(`could not load SSL certificate revocation list ${what}: ${words}`);
  }
}

async function listsOfFile(file: string): Promise<LoadedList[]> {
  const ders = splitLists(await readRegularFile(file));
  return ders.map((der) => {
    const pem = toPem(der);
    // What OpenSSL cannot read either must be known now, not when the server's context is put together.
    createSecureContext({ ca: [], crl: pem });
    return { facts: factsOf(file, readRevocationList(der)), pem };
  });
}

const HASHED_NAME = /^[0-9a-f]{8}\.r\d+$/;

async function listsOfDirectory(directory: string): Promise<LoadedList[]> {
  const names = (await listDirectory(directory)).filter((name) => HASHED_NAME.test(name));
  const lists: LoadedList[] = [];
  for (const name of names) lists.push(...(await listsOfFile(join(directory, name))));
  return lists;
}

const LABEL = 'X509 CRL';

/** The DER of each list. Throws DerError when there is none, or one that has no end. */
function splitLists(content: Buffer): Buffer[] {
  if (content[0] === tags.sequence) return [content];
  const text = content.toString('latin1');
  const blocks = pemBlocks(text, [LABEL]);
  const begun = text.match(/^-----BEGIN X509 CRL-----/gm)?.length ?? 0;
  // SECURITY: a list that cannot be read must not be one that is left out.
  if (begun !== blocks.length) throw new DerError('bad end line');
  if (blocks.length === 0) throw new DerError('no certificate or crl found');
  return blocks.map(pemBytes);
}

/** From the bytes that were read, so that OpenSSL reads the same. */
function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${LABEL}-----`, ...lines, `-----END ${LABEL}-----`, ''].join('\n');
}

function factsOf(file: string, list: RevocationList): CrlInUse {
  return Object.freeze({
    file,
    issuer: formatForLog(list.issuer),
    issuerDn: formatRfc2253(list.issuer),
    lastUpdate: list.lastUpdate,
    nextUpdate: list.nextUpdate,
    revokedSerials: new Set(list.revoked.map(({ serial }) => serial.toString(16))),
  });
}

/** Reads a list's DER. Its signature is OpenSSL's business, at each handshake. Throws DerError. */
export function readRevocationList(der: Uint8Array): RevocationList {
  const file = new DerReader(der);
  const outer = file.enter(tags.sequence);
  file.finish();
  const tbs = outer.enter(tags.sequence);
  if (tbs.nextIs(tags.integer)) tbs.read(); // version
  tbs.read(tags.sequence); // signature
  const issuer = readName(tbs);
  const lastUpdate = decodeTime(tbs);
  const saysNext = tbs.nextIs(tags.utcTime) || tbs.nextIs(tags.generalizedTime);
  const nextUpdate = saysNext ? decodeTime(tbs) : null;
  const revoked: Revocation[] = [];
  if (tbs.nextIs(tags.sequence)) {
    const entries = tbs.enter(tags.sequence);
    while (!entries.atEnd) {
      const entry = entries.enter(tags.sequence);
      revoked.push({
        serial: decodeInteger(entry.contents(tags.integer), MAX_SERIAL_BYTES),
        date: decodeTime(entry),
      });
    }
  }
  return { issuer, lastUpdate, nextUpdate, revoked };
}

/** A list whose issuer, `CN=no revocation list was found`, has issued nothing; its key was thrown away. */
const listOfNobody = `-----BEGIN X509 CRL-----
MIHUMH0CAQEwCgYIKoZIzj0EAwIwJzElMCMGA1UEAwwcbm8gcmV2b2NhdGlvbiBs
aXN0IHdhcyBmb3VuZBcNMjYwMTAxMDAwMDAwWqA0MDIwHwYDVR0jBBgwFoAUfUIA
cQs/Do5BBWr6+Bdw2jCSvBcwDwYDVR0UBAgCBgGiAJTnQDAKBggqhkjOPQQDAgNH
ADBEAiANxV+ZvKfTOMZAAnPfYo8HUWykNAUimx+KTu9C0GYVSQIgYqEDzSnZTR3z
EPdOPRx9qa+/JJZ1XPOBqr4bkKV7XfM=
-----END X509 CRL-----
`;
