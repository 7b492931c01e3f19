// The four parts that a configuration is loaded in (contract §5): each is read whole or not at all, and each says
// which files it was read from, so that a later change of any of them is noticed.

import { join } from 'node:path';
import { LoadError, type Problem } from '../errors.ts';
import { loadHba } from '../rules/hba.ts';
import { loadIdent } from '../rules/ident.ts';
import type { HbaRules, IdentMaps } from '../rules/types.ts';
import { loadTls } from '../tls/context.ts';
import { Terminator } from '../tls/terminator.ts';
import type { TlsMaterial } from '../tls/types.ts';
import { digestSource, listFileNames, RecordingFileSystem, sha256, type Source, type Sources } from './files.ts';
import { loadSettings } from './load.ts';
import type { Settings, TlsSettings } from './settings.ts';

/** In the order in which they are loaded and reported. */
export const parts = ['settings', 'tls', 'rules', 'maps'] as const;
export type Part = (typeof parts)[number];

/** What is used for TLS; both null = ssl is off. */
export interface TlsPart {
  readonly material: TlsMaterial | null;
  readonly terminator: Terminator | null;
}

/** A part that could be loaded. */
export interface LoadedPart<T> {
  readonly ok: true;
  readonly value: T;
  /** SHA-256 over what it was read from, no private key included. */
  readonly hash: string;
  readonly warnings: readonly Problem[];
  readonly sources: Sources;
}

/** A part that could not. */
export interface FailedPart {
  readonly ok: false;
  readonly problems: readonly Problem[];
  readonly sources: Sources;
}

export type Attempt<T> = LoadedPart<T> | FailedPart;

export function attemptSettings(file: string): Attempt<Settings> {
  return attempt(file, (fs) => ({ value: loadSettings(file, fs), warnings: [] }));
}

export function attemptRules({ hbaFile, tls, roles }: Settings): Attempt<HbaRules> {
  return attempt(hbaFile, (fs) => {
    const value = loadHba(hbaFile, fs, { ssl: tls.enabled, roles });
    return { value, warnings: value.warnings };
  });
}

/** A missing ident_file is an empty one (contract §7.1), which loadIdent sees to. */
export function attemptMaps({ identFile, roles }: Settings): Attempt<IdentMaps> {
  return attempt(identFile, (fs) => {
    const value = loadIdent(identFile, fs, roles);
    return { value, warnings: value.warnings };
  });
}

/** @param options.reload true = not at start (semantics §2.5) */
export async function attemptTls(
  settings: Settings,
  options: { readonly reload: boolean },
): Promise<Attempt<TlsPart>> {
  if (!settings.tls.enabled) {
    const value = { material: null, terminator: null };
    return { ok: true, value, hash: sha256(''), warnings: [], sources: new Map() };
  }
  // Taken before the files are read: what changes in between is then found changed by the watcher, never missed.
  const sources = await digestTlsFiles(settings.tls);
  try {
    const material = await loadTls(settings, options);
    const value = { material, terminator: new Terminator(material) };
    const hash = hashOfTls(settings.tls, material, sources);
    return { ok: true, value, hash, warnings: material.warnings, sources };
  } catch (error) {
    return { ok: false, problems: problemsOf(error, settings.file), sources };
  }
}

async function digestTlsFiles(tls: TlsSettings): Promise<Sources> {
  const named = [tls.certFile, tls.keyFile, tls.caFile, tls.crlFile, tls.dhParamsFile];
  const files = [...named.filter((path) => path !== ''), ...filesIn(tls.crlDir)];
  const sources = new Map<string, Source>();
  if (tls.crlDir !== '') {
    sources.set(tls.crlDir, { kind: 'listing', digest: await digestSource(tls.crlDir, 'listing') });
  }
  for (const path of files) sources.set(path, { kind: 'file', digest: await digestSource(path, 'file') });
  return sources;
}

function filesIn(directory: string): string[] {
  if (directory === '') return [];
  try {
    return listFileNames(directory).map((name) => join(directory, name));
  } catch {
    return []; // loadTls reports it
  }
}

/**
 * SECURITY: this hash is shown to whoever reads the metrics. Nothing of the private key goes into it, nor of a file
 * that may hold one beside the certificates: those count by their fingerprints.
 */
function hashOfTls(tls: TlsSettings, material: TlsMaterial, sources: Sources): string {
  const readable = [...sources].filter(([path]) => path !== tls.keyFile && path !== tls.certFile);
  const fingerprints = material.certificates.map(({ role, fingerprint }) => `${role} ${fingerprint}`);
  return sha256([...fingerprints, ...readable.map(([path, { digest }]) => `${path} ${digest}`)].join('\n'));
}

function attempt<T>(
  file: string,
  load: (fs: RecordingFileSystem) => { readonly value: T; readonly warnings: readonly Problem[] },
): Attempt<T> {
  const fs = new RecordingFileSystem();
  try {
    const { value, warnings } = load(fs);
    return { ok: true, value, hash: hashOf(fs.seen), warnings, sources: fs.seen };
  } catch (error) {
    return { ok: false, problems: problemsOf(error, file), sources: fs.seen };
  }
}

function hashOf(sources: Sources): string {
  return sha256([...sources].map(([path, { digest }]) => `${path} ${digest}`).join('\n'));
}

/** A reload must never end the process, so a loader's defect is one more reason to keep the old state. */
function problemsOf(error: unknown, file: string): readonly Problem[] {
  if (error instanceof LoadError) return error.problems;
  return [{ file, line: null, message: `internal error: ${String(error)}` }];
}
