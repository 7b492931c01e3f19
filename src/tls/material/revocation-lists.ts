// ssl_crl_file and ssl_crl_dir: either, or both together (semantics §2.8, contract §7.17), and the lists that
// ssl_ca_file holds. From files to what Node's `crl` option takes, and to what /certificates, the metrics and a
// reload's second look at live sessions need to know.

import type { TlsSource } from '../settings.ts';
import type { Problem } from '../../base/problems.ts';
import type { SourceReader } from '../../base/sources.ts';
import { inSlices, nextTurn } from '../../base/slices.ts';
import { readRevocationList } from '../../x509/crl.ts';
import { crlDirectoryLists } from './crl-directory.ts';
import { DerError } from '../../x509/der.ts';
import { formatForLog, formatRfc2253 } from '../../x509/name.ts';
import { PemError, encodePem, readPem } from '../../x509/pem.ts';
import { LIST, passedOverWarnings, readStoreInSteps, type PemList } from './pem-files.ts';
import { readPlainList, type PlainList } from '../../x509/plain-list.ts';
import { errorWords, refusalAt, type Refuse } from './load-problem.ts';
import type { CrlInUse } from '../types.ts';

/** The revocation lists in force. */
export interface RevocationSettings {
  /** ssl_crl_file or ssl_crl_dir is set: every issuer in a chain needs a list. */
  readonly checksRevocation: boolean;
  readonly crls: readonly CrlInUse[];
  /** One of the lists counts and is not among `crls`, because it cannot be described. */
  readonly hasUndescribedList: boolean;
  /** Null where one of them needs interpretation. */
  readonly plainLists: readonly PlainList[] | null;
  /** For Node's `crl` option, one list each: Node loads only the first of a text that holds several. */
  readonly pems: readonly string[];
  readonly warnings: readonly Problem[];
}

/** One list with its place. */
export interface ListInFile extends PemList {
  readonly file: string;
}

/** The lists of ssl_crl_file and ssl_crl_dir, which count for every host. Null = neither is set. */
export interface CommonLists {
  readonly described: readonly Described[];
  readonly warnings: readonly Problem[];
}

/** @throws LoadError with PostgreSQL's text */
export async function loadRevocationLists(
  settings: TlsSource,
  reader: SourceReader,
): Promise<CommonLists | null> {
  const { ssl_crl_file: crlFile, ssl_crl_dir: crlDir } = settings;
  if (crlFile === '' && crlDir === '') return null;
  const file = await listsOfFile(settings, reader);
  const directory = await listsOfDirectory(settings, reader);
  return {
    described: await describeAll([...file.lists, ...directory.lists]),
    warnings: [...file.warnings, ...directory.warnings],
  };
}

/**
 * The lists for the clients of one CA file.
 *
 * @param inCaFile the lists that it holds: they count once revocation is on, as in PostgreSQL
 */
export async function revocationFor(
  common: CommonLists | null,
  inCaFile: readonly ListInFile[],
): Promise<RevocationSettings> {
  if (common === null) return { ...nothing, warnings: inCaFile.map(unused) };
  const described = [...(await describeAll(inCaFile)), ...common.described];
  const plain = described.flatMap((list) => list.plain ?? []);
  const pems = described.map(({ pem }) => pem);
  return {
    checksRevocation: true,
    crls: described.flatMap(({ facts }) => facts ?? []),
    hasUndescribedList: described.some(({ facts }) => facts === null),
    plainLists: plain.length === described.length ? plain : null,
    // SECURITY: Node checks revocation only when it is given a list, and without a list nobody must get in.
    pems: pems.length === 0 ? [listOfNobody] : pems,
    warnings: [...common.warnings, ...described.flatMap(({ warning }) => warning ?? [])],
  };
}

async function describeAll(lists: readonly ListInFile[]): Promise<Described[]> {
  const described: Described[] = [];
  for (const list of lists) {
    await nextTurn();
    described.push({ ...describe(list), plain: readPlainList(list.der) });
  }
  return described;
}

/** A list in PEM as `plainLists` says it; in a process that was handed the PEM alone. Null = it needs interpretation. */
export function plainListOf(pem: string): PlainList | null {
  const [block] = readPem(Buffer.from(pem));
  return block === undefined ? null : readPlainList(block.der);
}

const nothing: RevocationSettings = {
  checksRevocation: false,
  crls: [],
  hasUndescribedList: false,
  plainLists: [],
  pems: [],
  warnings: [],
};

interface Lists {
  readonly lists: readonly ListInFile[];
  readonly warnings: readonly Problem[];
}

async function listsOfFile(settings: TlsSource, reader: SourceReader): Promise<Lists> {
  const { ssl_crl_file: file, ssl_crl_dir: crlDir } = settings;
  if (file === '') return { lists: [], warnings: [] };
  const refuse = refusalAt(settings, 'ssl_crl_file', file);
  try {
    const { lists, certificates, passedOver } = await inSlices(readStoreInSteps(await reader.file(file)));
    const ignored = certificates.map(({ line }) => ({
      file,
      line,
      message: 'this certificate is not used: "ssl_crl_file" is read for revocation lists',
      hint: 'A certificate that client certificates may lead to belongs into "ssl_ca_file".',
    }));
    const warnings = [...ignored, ...passedOverWarnings(file, passedOver)];
    return { lists: lists.map((list) => ({ ...list, file })), warnings };
  } catch (error) {
    const place = crlDir === '' ? `file "${file}"` : `file "${file}" or directory "${crlDir}"`;
    throw refusing(refuse, place, error);
  }
}

async function listsOfDirectory(settings: TlsSource, reader: SourceReader): Promise<Lists> {
  const { ssl_crl_file: crlFile, ssl_crl_dir: directory } = settings;
  if (directory === '') return { lists: [], warnings: [] };
  const refuse = refusalAt(settings, 'ssl_crl_dir', directory);
  try {
    return await crlDirectoryLists(directory, reader);
  } catch (error) {
    const place =
      crlFile === '' ? `directory "${directory}"` : `file "${crlFile}" or directory "${directory}"`;
    throw refusing(refuse, place, error);
  }
}

function refusing(refuse: Refuse, place: string, error: unknown): Error {
  const words = error instanceof PemError ? error.message : errorWords(error, 'no certificate or crl found');
  return refuse(`could not load SSL certificate revocation list ${place}: ${words}`);
}

function unused({ file, line }: ListInFile): Problem {
  return {
    file,
    line,
    message: 'this revocation list is not used: neither "ssl_crl_file" nor "ssl_crl_dir" is set',
    hint: 'Set "ssl_crl_file" to this file too, and every issuer in a chain needs a current list.',
  };
}

/** One list, as OpenSSL takes it and as people are shown it. */
interface Described {
  readonly pem: string;
  /** Null = it needs interpretation. */
  readonly plain: PlainList | null;
  readonly facts: CrlInUse | null;
  readonly warning: Problem | null;
}

/** A list that OpenSSL takes and we cannot read works, and is left out of /certificates and metrics with a warning. */
function describe({ file, line, der }: ListInFile): Omit<Described, 'plain'> {
  const pem = encodePem(LIST, der);
  try {
    const { issuer, lastUpdate, nextUpdate, revoked } = readRevocationList(der);
    const facts = Object.freeze({
      file,
      issuer: formatForLog(issuer),
      issuerDn: formatRfc2253(issuer),
      lastUpdate,
      nextUpdate,
      revokedSerials: revoked,
    });
    return { pem, facts, warning: null };
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    const message = `this revocation list counts, but cannot be described: ${error.message}`;
    return { pem, facts: null, warning: { file, line, message } };
  }
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
