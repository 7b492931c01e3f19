// The four parts that a configuration is loaded in (contract §5): each is read whole or not at all, and each says
// which files it was read from, so that a later change of any of them is noticed.

import type { TlsSource } from '../tls/settings.ts';
import { Socket } from 'node:net';
import { distinctProblems, LoadError, type Problem } from '../base/problems.ts';
import { collectGarbage, hasLongLists } from '../base/garbage.ts';
import { setsIntervalAndCount } from '../base/keep-alive.ts';
import { loadHbaInSteps } from '../rules/hba.ts';
import { loadIdentInSteps } from '../rules/ident.ts';
import { inSlices, nextTurn } from '../base/slices.ts';
import type { HbaRules, IdentMaps, Roles } from '../rules/types.ts';
import { serverOf } from '../tls/handshake/handshake-server.ts';
import type { TlsHosts } from '../tls/hosts.ts';
import { loadTlsHosts } from '../tls/load-hosts.ts';
import { refusingLists } from '../tls/refusing-lists.ts';
import { loadTls, type LoadOptions } from '../tls/load-tls.ts';
import { timeWarnings } from '../tls/material/certificate-warnings.ts';
import { keepingWhatIsSame } from '../tls/same-material.ts';
import { TlsAcceptor } from '../tls/tls-acceptor.ts';
import type { TlsMaterial } from '../tls/types.ts';
import { hashOfSources, SourceReader, type Sources } from '../base/sources.ts';
import { RecordingFileSystem, type Recording } from './files.ts';
import { readHosts } from './host-records.ts';
import { shownOverrides, type Overrides } from './overrides.ts';
import { loadSettings } from './load.ts';
import { loadSecrets, type Secrets } from './secrets.ts';
import { retiredWarnings } from './retired.ts';
import type { Settings } from './schema.ts';

/** In the order in which they are loaded and reported. */
export const parts = ['settings', 'tls', 'rules', 'maps'] as const;
export type Part = (typeof parts)[number];

/** What is used for TLS; null = ssl is off. */
export interface TlsPart {
  readonly hosts: TlsHosts | null;
  readonly acceptor: TlsAcceptor | null;
  /** The admin listener's own; null = it speaks none. */
  readonly admin: TlsMaterial | null;
  /** ssl_crl_file or ssl_crl_dir, where revocation lists are looked for. */
  readonly listsFrom: string;
  /** What is odd about pg_hosts.conf and the files of all hosts, as they were read last, whatever the time. */
  readonly fileWarnings: readonly Problem[];
}

/** A part that could be loaded. */
export interface LoadedPart<T> {
  readonly ok: true;
  readonly value: T;
  /** SHA-256 over what it was read from, nothing secret included. */
  readonly hash: string;
  readonly warnings: readonly Problem[];
  readonly sources: Sources;
  /** What was read, for another process to load the same from; absent where its value is handed over itself. */
  readonly recording?: PartRecording;
}

/**
 * What was read for a part, and by which paths. They go with it because the settings in force may name other files, of
 * which the reload has failed.
 */
export interface PartRecording extends Recording {
  readonly paths: Partial<Pick<Settings, 'hba_file' | 'auth_file' | 'ident_file'>>;
}

/** A part that could not. */
export interface FailedPart {
  readonly ok: false;
  readonly problems: readonly Problem[];
  readonly sources: Sources;
}

export type Attempt<T> = LoadedPart<T> | FailedPart;

export async function attemptSettings(file: string, overrides: Overrides): Promise<Attempt<Settings>> {
  const fs = new RecordingFileSystem();
  await fs.fetch(file);
  const attempted = await attempt(file, fs, async () => {
    const value = loadSettings(file, fs, overrides);
    return { value, warnings: [...keepAliveWarnings(value), ...retiredWarnings(value)] };
  });
  // Two gates with one file and other values over it are not configured alike.
  return attempted.ok
    ? { ...attempted, hash: hashOfSources(fs.sources, shownOverrides(overrides)) }
    : attempted;
}

/** What the settings ask of a Node that cannot do it. */
function keepAliveWarnings(settings: Settings): readonly Problem[] {
  const set = {
    tcp_keepalives_idle: settings.tcp_keepalives_idle,
    tcp_keepalives_interval: settings.tcp_keepalives_interval,
    tcp_keepalives_count: settings.tcp_keepalives_count,
  };
  const names = Object.entries(set).flatMap(([name, value]) => (value === 0 ? [] : [name]));
  const [first] = names;
  if (first === undefined || setsIntervalAndCount(Socket.prototype)) return [];
  const message = `Node ${process.versions.node} cannot set ${names.join(', ')}: connections have the system's values`;
  const { file, line } = settings.placeOf(first);
  return [{ file, line, message, hint: 'Node 26.10 can.' }];
}

/** pg_hba.conf, and the secrets that its password lines are decided by. */
export interface RulesPart {
  readonly hba: HbaRules;
  /** Null = auth_file is not set. */
  readonly secrets: Secrets | null;
}

/** @param fs what to read from: the disk, or a recording of it */
export async function attemptRules(
  settings: Settings,
  fs = new RecordingFileSystem(),
): Promise<Attempt<RulesPart>> {
  const { hba_file: hbaFile, auth_file: authFile, ssl, placeOf } = settings;
  await fs.gather(hbaFile);
  const rules = await attempt(hbaFile, fs, async () => {
    // What is wrong with either file is reported, whatever is wrong with the other.
    const [hba, secrets] = await Promise.allSettled([
      inSlices(loadHbaInSteps(hbaFile, fs, { ssl, roles: knownRoles(settings) })),
      loadSecrets(settings, fs),
    ]);
    if (hba.status === 'rejected') throw withProblemsOf(hba.reason, secrets);
    if (secrets.status === 'rejected') throw secrets.reason;
    return {
      value: { hba: hba.value, secrets: secrets.value.secrets },
      warnings: [...hba.value.warnings, ...secrets.value.warnings],
      recording: { ...fs.recording, paths: { hba_file: hbaFile, auth_file: authFile } },
    };
  });
  const { source, file, line } = placeOf('hba_file');
  if (rules.ok || source === 'default') return rules;
  // A problem of the whole file, such as a missing one, is reported on the line that names the file.
  const problems = rules.problems.map((problem) =>
    problem.file === hbaFile && problem.line === null ? { ...problem, file, line } : problem,
  );
  return { ...rules, problems };
}

/** The roles by which lines are warned of; null where the upstream's catalogue knows more. */
function knownRoles({ roles, auth_user: authUser }: Settings): Roles | null {
  return authUser === '' ? roles : null;
}

function withProblemsOf(error: unknown, beside: PromiseSettledResult<unknown>): unknown {
  if (beside.status === 'fulfilled') return error;
  const both = [error, beside.reason];
  if (!both.every((each) => each instanceof LoadError)) return error;
  return new LoadError(both.flatMap(({ problems }) => problems));
}

/**
 * A missing ident_file is an empty one (contract §7.1), which loadIdent sees to.
 * @param fs as attemptRules
 */
export async function attemptMaps(
  settings: Settings,
  fs = new RecordingFileSystem(),
): Promise<Attempt<IdentMaps>> {
  const { ident_file: identFile } = settings;
  await fs.gather(identFile);
  return await attempt(identFile, fs, async () => {
    const value = await inSlices(loadIdentInSteps(identFile, fs, knownRoles(settings)));
    const recording = { ...fs.recording, paths: { ident_file: identFile } };
    return { value, warnings: value.warnings, recording };
  });
}

/**
 * @param options as loadTls (semantics §2.5)
 * @param options.before the part in force, of which everything stays that comes out the same again
 */
export async function attemptTls(
  settings: Settings,
  { before = null, ...options }: Omit<LoadOptions, 'reader'> & { readonly before?: TlsPart | null },
): Promise<Attempt<TlsPart>> {
  const reader = new SourceReader();
  const adminSide = adminTlsSource(settings);
  try {
    const lines = settings.ssl ? await readHosts(settings, reader) : { records: null, warnings: [] };
    const loaded = settings.ssl ? await loadTlsHosts(settings, lines.records, { ...options, reader }) : null;
    const admin = adminSide === null ? null : await loadTls(adminSide, { ...options, reader });
    const hosts = loaded === null ? null : await inSlices(keepingWhatIsSame(loaded, before?.hosts ?? null));
    const acceptor = await acceptorFor(hosts, before);
    await nextTurn();
    // What OpenSSL has against the admin listener's files must be known before they are in force.
    void admin?.context;
    const listsFrom = settings.ssl_crl_file === '' ? settings.ssl_crl_dir : settings.ssl_crl_file;
    const read = [...(loaded?.materials ?? []), ...(admin === null ? [] : [admin])];
    const fileWarnings = [...lines.warnings, ...read.flatMap((material) => material.fileWarnings)];
    const value = { hosts, acceptor, admin, listsFrom, fileWarnings };
    return {
      ok: true,
      value,
      hash: hashOfSources(reader.sources, shownOf(value)),
      warnings: warningsOf(value),
      sources: reader.sources,
    };
  } catch (error) {
    return { ok: false, problems: problemsOf(error, settings.file), sources: reader.sources };
  }
}

/**
 * OpenSSL reads the lists here, in one go for each host: sessions have their turn before and after. What was needed to
 * read their text is freed before, so that the two are never in memory together.
 */
async function acceptorFor(hosts: TlsHosts | null, before: TlsPart | null): Promise<TlsAcceptor | null> {
  if (hosts === null) return null;
  if (hosts === before?.hosts) return before.acceptor;
  await nextTurn();
  if (hosts.materials.some(({ options }) => hasLongLists(options))) collectGarbage();
  for (const material of hosts.materials) {
    serverOf(material);
    await nextTurn();
  }
  return new TlsAcceptor(hosts);
}

/** Certificates expire by the clock of now, so these are made when they are asked for. */
function warningsOf(part: TlsPart): readonly Problem[] {
  const { hosts, admin, fileWarnings } = part;
  const materials = [...(hosts?.materials ?? []), ...(admin === null ? [] : [admin])];
  const now = new Date();
  return distinctProblems([
    ...materials.flatMap((material) => timeWarnings(material, now)),
    ...fileWarnings,
    ...listsThatRefuse(part),
  ]);
}

/** Lists whose age or absence refuses every client certificate of a host, or of all (level error), as it is now. */
export function listsThatRefuse({ hosts, listsFrom }: TlsPart): readonly Problem[] {
  return distinctProblems(refusingLists(hosts?.all ?? [], listsFrom, new Date()));
}

/** The warnings of a part that was not read again, by the clock of now: a certificate may have come near its end. */
export function withWarningsOfNow(part: Attempt<TlsPart>): Attempt<TlsPart> {
  return part.ok ? { ...part, warnings: warningsOf(part.value) } : part;
}

/**
 * The admin listener's TLS, where it has one: files of its own, and everything else, revocation lists too, as for the
 * clients. Problems are reported at the lines of `admin.ssl_*`.
 */
function adminTlsSource(settings: Settings): TlsSource | null {
  const { admin, placeOf } = settings;
  if (admin.ssl_cert_file === '') return null;
  return {
    ...settings,
    ssl_cert_file: admin.ssl_cert_file,
    ssl_key_file: admin.ssl_key_file,
    ssl_ca_file: admin.ssl_ca_file,
    placeOf: (name) => {
      const own = placeOf(`admin.${name}`);
      return own.source === 'default' ? placeOf(name) : own;
    },
  };
}

/** What the files held, as the hash may show it: a file with a private key in it counts by this alone. */
function shownOf({ hosts, admin }: TlsPart): string[] {
  const ofHosts = (hosts?.all ?? []).flatMap(({ label, material }) => [
    // pg_hosts.conf counts by its hosts, in their order, for its text may hold a passphrase.
    ...(label === null ? [] : [`host ${label}`]),
    ...shownOfMaterial(material),
  ]);
  return [
    ...(hosts?.choosesByName === true ? ['by name'] : []),
    ...ofHosts,
    ...(admin === null ? [] : shownOfMaterial(admin)),
  ];
}

function shownOfMaterial({ certificates, crls }: TlsMaterial): string[] {
  return [
    ...certificates.map(({ role, fingerprint }) => `${role} ${fingerprint}`),
    ...crls.map(({ issuerDn, lastUpdate }) => `list of ${issuerDn} of ${lastUpdate.toISOString()}`),
  ];
}

async function attempt<T>(
  file: string,
  fs: RecordingFileSystem,
  load: () => Promise<Pick<LoadedPart<T>, 'value' | 'warnings' | 'recording'>>,
): Promise<Attempt<T>> {
  try {
    const loaded = await load();
    return { ok: true, ...loaded, hash: hashOfSources(fs.sources), sources: fs.sources };
  } catch (error) {
    return { ok: false, problems: problemsOf(error, file), sources: fs.sources };
  }
}

/** A reload must never end the process, so a loader's defect is one more reason to keep the old state. */
function problemsOf(error: unknown, file: string): readonly Problem[] {
  if (error instanceof LoadError) return error.problems;
  return [{ file, line: null, message: `internal error: ${String(error)}` }];
}
