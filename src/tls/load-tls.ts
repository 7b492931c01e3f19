// From the ssl_* settings and the files they name to what a TLS handshake needs: all of it checked, in PostgreSQL's
// order and words, before any of it is used (semantics §2).

import type { SourceReader } from '../base/sources.ts';
import type { CertificateSource, TlsSource } from './settings.ts';
import { constants, type X509Certificate } from 'node:crypto';
import type { TlsOptions } from 'node:tls';
import { GatehouseError } from '../base/errors.ts';
import { LoadError, type Problem } from '../base/problems.ts';
import { nextTurn } from '../base/slices.ts';
import { channelBindingWarnings } from './material/certificate-warnings.ts';
import { loadClientAuthorities, type ClientAuthorities } from './material/client-authorities.ts';
import { readCertificateFacts } from '../x509/identity.ts';
import { keyExchangeWarnings, loadKeyExchange, newestVersion } from './material/key-exchange.ts';
import {
  loadRevocationLists,
  revocationFor,
  type CommonLists,
  type RevocationSettings,
} from './material/revocation-lists.ts';
import { contextFor } from './material/shared-context.ts';
import { loadServerCertificate, type ServerCertificate } from './material/server-certificate.ts';
import type { CertificateInUse, TlsMaterial } from './types.ts';

/** PostgreSQL's ALPN protocol (semantics §1.9, §1.10). */
const ALPN_PROTOCOL = 'postgresql';

/** Node's own limit on a handshake is switched off (its zero means 120 s): authentication_timeout is the limit. */
const NO_HANDSHAKE_TIMEOUT_MS = 2 ** 31 - 1;

/** What no setting decides (semantics §2.3). */
const fixedOptions: TlsOptions = {
  // SECURITY: no session outlives its connection, because a resumed one would not verify the client's certificate
  // again; no renegotiation, which could exchange the client under a running session; no compression (CRIME).
  secureOptions:
    constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
  // TLS 1.3 sends tickets all the same, worthless ones. This tells clients not to keep them: seconds, 0 = 300.
  sessionTimeout: 1,
  ALPNProtocols: [ALPN_PROTOCOL],
  // The acceptor judges by itself: Node would drop the connection without an alert and without a reason.
  rejectUnauthorized: false,
  handshakeTimeout: NO_HANDSHAKE_TIMEOUT_MS,
};

export interface LoadOptions {
  /** True = not at start: PostgreSQL then runs a passphrase command only where it is said to support it (semantics §2.5). */
  readonly reload: boolean;
  /** A dry run has those in force, and runs no command: what a command does beside printing nobody knows. */
  readonly passphrases?: readonly string[] | undefined;
  /** How the files are read, and where they are then listed, whether loading succeeds or fails. */
  readonly reader: SourceReader;
}

/**
 * Reads and checks everything the ssl_* settings name.
 *
 * @throws LoadError, PostgreSQL's first problem first: each at the line of the YAML file that names what is wrong, or
 *   at the file itself where the setting is a default (semantics §2.2)
 */
export async function loadTls(settings: TlsSource, options: LoadOptions): Promise<TlsMaterial> {
  const [material] = await loadMaterials(settings, [settings], options);
  if (material === undefined) throw new Error('nothing was loaded');
  return material;
}

/**
 * The same for several certificates, which have everything but the files of `certificates` in common: the versions, the
 * ciphers and the revocation lists (sni.md §2.2).
 *
 * @returns one material for each, in their order
 */
export async function loadMaterials(
  settings: TlsSource,
  certificates: readonly CertificateSource[],
  { reload, passphrases, reader }: LoadOptions,
): Promise<readonly TlsMaterial[]> {
  const files = new AuthorityFiles(reader);
  const loadingLists = loadRevocationLists(settings, reader);
  // What is wrong with one of them is reported, whatever is wrong with the others.
  const [servers, keyExchange, authorities, lists] = await allOf([
    each(certificates, (source) => loadServerCertificate(source, { reload, passphrases, reader })),
    loadKeyExchange(settings, reader),
    each(certificates, (source) => files.load(source)),
    loadingLists,
  ]);
  const materials: TlsMaterial[] = [];
  for (const [index, source] of certificates.entries()) {
    const [server, ofClients] = [servers[index], authorities[index]];
    if (server === undefined || ofClients === undefined) throw new Error('a certificate was not loaded');
    // Between two hosts sessions have their turn: there may be thousands of lines.
    await nextTurn();
    const revocation = await files.revocation(ofClients, lists);
    const described = files.described(ofClients, source.ssl_ca_file);
    materials.push(
      materialOf(settings, source, { server, keyExchange, authorities: ofClients, described, revocation }),
    );
  }
  return materials;
}

/** CA files, each read once however many hosts name it: hosts that share one share its facts and lists in memory too. */
class AuthorityFiles {
  readonly #reader: SourceReader;
  readonly #byFile = new Map<string, ClientAuthorities>();
  readonly #described = new Map<ClientAuthorities, Described>();
  readonly #revocation = new Map<ClientAuthorities, RevocationSettings>();

  constructor(reader: SourceReader) {
    this.#reader = reader;
  }

  async load(source: CertificateSource): Promise<ClientAuthorities> {
    const file = source.ssl_ca_file;
    const loaded = this.#byFile.get(file) ?? (await loadClientAuthorities(source, this.#reader));
    this.#byFile.set(file, loaded);
    return loaded;
  }

  described(authorities: ClientAuthorities, file: string): Described {
    const certificates = authorities.authorities.map(({ certificate }) => certificate);
    const described = this.#described.get(authorities) ?? describe(certificates, 'ca', file);
    this.#described.set(authorities, described);
    return described;
  }

  async revocation(authorities: ClientAuthorities, lists: CommonLists | null): Promise<RevocationSettings> {
    const settings = this.#revocation.get(authorities) ?? (await revocationFor(lists, authorities.lists));
    this.#revocation.set(authorities, settings);
    return settings;
  }
}

/** One after the other, so that many hosts open few files at a time; a LoadError has the problems of all. */
async function each<T, R>(items: readonly T[], load: (item: T) => Promise<R>): Promise<R[]> {
  const loaded: R[] = [];
  const problems: Problem[] = [];
  for (const item of items) {
    try {
      loaded.push(await load(item));
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new LoadError(problems);
  return loaded;
}

/** What the files of one certificate held. */
interface LoadedFiles {
  readonly server: ServerCertificate;
  readonly keyExchange: TlsOptions;
  readonly authorities: ClientAuthorities;
  /** The same as facts. */
  readonly described: Described;
  readonly revocation: RevocationSettings;
}

function materialOf(settings: TlsSource, source: CertificateSource, loaded: LoadedFiles): TlsMaterial {
  const { revocation } = loaded;
  const authorities = loaded.authorities.authorities.map(({ certificate }) => certificate);
  const options = optionsOf(source, loaded);
  const { certificates, warnings: fileWarnings } = describeAll(settings, source, loaded);
  return {
    get context() {
      return contextFor(options);
    },
    options,
    requestsClientCertificate: source.ssl_ca_file !== '',
    authorities,
    checksRevocation: revocation.checksRevocation,
    certificates,
    crls: revocation.crls,
    hasUndescribedList: revocation.hasUndescribedList,
    plainLists: revocation.plainLists,
    fileWarnings,
    minProtocolVersion: settings.ssl_min_protocol_version,
    maxProtocolVersion: newestVersion(settings),
  };
}

function optionsOf(
  { ssl_ca_file: caFile }: CertificateSource,
  { server, keyExchange, authorities: { authorities }, revocation }: LoadedFiles,
): TlsOptions {
  return {
    ...fixedOptions,
    ...keyExchange,
    cert: server.chain,
    key: server.key,
    ...(server.passphrase === undefined ? {} : { passphrase: server.passphrase }),
    // SECURITY: never undefined, which would stand for the public CAs that come with Node: no root that
    // ssl_ca_file, or the line of pg_hosts.conf, does not name may vouch for a client.
    ca: authorities.map((authority) => authority.pem),
    ...(revocation.pems.length === 0 ? {} : { crl: [...revocation.pems] }),
    requestCert: caFile !== '',
  };
}

/** The certificates as facts, and the warnings that do not depend on the clock, in the order of the files. */
function describeAll(
  settings: TlsSource,
  { ssl_cert_file: certFile }: CertificateSource,
  { server, authorities, described: ofAuthorities, revocation }: LoadedFiles,
): { readonly certificates: readonly CertificateInUse[]; readonly warnings: readonly Problem[] } {
  const ofServer = describe(server.certificates, 'server', certFile);
  return {
    certificates: [...ofServer.certificates, ...ofAuthorities.certificates],
    warnings: [
      ...server.certificates.slice(0, 1).flatMap((leaf) => channelBindingWarnings(leaf, certFile)),
      ...keyExchangeWarnings(settings),
      ...server.warnings,
      ...ofServer.problems,
      ...authorities.warnings,
      ...ofAuthorities.problems,
      ...revocation.warnings,
    ],
  };
}

/** Each of them, or a LoadError with the problems of all, so that one run names everything that is wrong. */
async function allOf<T extends readonly Promise<unknown>[]>(
  loading: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const failures = (await Promise.allSettled(loading)).flatMap((part): unknown[] =>
    part.status === 'rejected' ? [part.reason] : [],
  );
  const unexpected = failures.find((failure) => !(failure instanceof LoadError));
  if (unexpected !== undefined) throw unexpected;
  if (failures.length > 0)
    throw new LoadError(
      failures.flatMap((failure) => (failure instanceof LoadError ? failure.problems : [])),
    );
  return await Promise.all(loading);
}

/** Certificates of one file as facts, and what is wrong with the others. */
interface Described {
  readonly certificates: readonly CertificateInUse[];
  readonly problems: readonly Problem[];
}

/** A certificate that OpenSSL takes and we cannot read works, and is left out of lists and metrics with a warning. */
function describe(
  certificates: readonly X509Certificate[],
  role: CertificateInUse['role'],
  file: string,
): Described {
  const described: CertificateInUse[] = [];
  const problems: Problem[] = [];
  for (const certificate of certificates) {
    try {
      described.push({ ...readCertificateFacts(certificate.raw), role, file });
    } catch (error) {
      if (!(error instanceof GatehouseError)) throw error;
      problems.push({ file, line: null, message: error.message });
    }
  }
  return { certificates: described, problems };
}
