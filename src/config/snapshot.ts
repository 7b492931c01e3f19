// The state that connections are judged by: one frozen object, and the one in force at the decision decides. A reload
// builds each part whole or keeps the old one, then swaps the object once (contract §5, §7.2, §7.32).

import { resolve } from 'node:path';
import { LoadError, type Problem } from '../base/problems.ts';
import type { HbaRules, IdentMaps } from '../rules/types.ts';
import type { TlsAcceptor } from '../tls/tls-acceptor.ts';
import type { TlsHosts } from '../tls/hosts.ts';
import type { TlsMaterial } from '../tls/types.ts';
import { noteSource, sha256, type Source, type Sources } from '../base/sources.ts';
import {
  attemptMaps,
  attemptRules,
  attemptSettings,
  attemptTls,
  parts,
  type Attempt,
  type LoadedPart,
  type Part,
  type RulesPart,
  type TlsPart,
  withWarningsOfNow,
} from './parts.ts';
import { problemsBesideSettings } from './beside-settings.ts';
import { withoutRestartOnly } from './what-stays.ts';
import { noOverrides, type Overrides } from './overrides.ts';
import type { Settings } from './schema.ts';
import { mockNonceFor, type Passwords } from './secrets.ts';
import {
  inputsOfMaps,
  inputsOfRules,
  inputsOfTls,
  needsPassphrase,
  passphrasesOf,
  unlessUnchanged,
  type Inputs,
} from './unchanged.ts';

export type { Part } from './parts.ts';

/** Everything that decides about a connection. Frozen; replaced as a whole. */
export interface Snapshot {
  readonly settings: Settings;
  /** Null = no TLS: ssl is off, or was off and its turning on has failed. */
  readonly tls: TlsHosts | null;
  readonly acceptor: TlsAcceptor | null;
  /** The admin listener's own TLS; null = it speaks none. */
  readonly adminTls: TlsMaterial | null;
  readonly rules: HbaRules;
  readonly maps: IdentMaps;
  /** What passwords are checked with; null = neither auth_file nor auth_query is set, and the upstream checks them. */
  readonly passwords: Passwords | null;
  /** SHA-256 in hexadecimal over all that was loaded, no private key and no secret of a user included. */
  readonly hash: string;
}

/** What a reload did. */
export interface ReloadResult {
  /** No part failed. */
  readonly ok: boolean;
  /** Parts that were read again and are in force. The others keep their old state. */
  readonly reloaded: readonly Part[];
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** PostgreSQL's log line for each failed part (`SSL configuration was not reloaded`). */
  readonly notReloaded: readonly string[];
}

/** What a reload did, and between which states. Later reloads may have come by the time that somebody looks. */
export interface Reload extends ReloadResult {
  readonly before: Parts;
  readonly after: Parts;
}

/** What a reload would do. */
export interface DryRun {
  readonly result: ReloadResult;
  /** Those parts of `result.reloaded` in which something would be new. */
  readonly changed: readonly Part[];
  /** What would be in force. */
  readonly current: Snapshot;
  readonly parts: Parts;
}

/** The parts in force. */
export interface Parts {
  readonly settings: LoadedPart<Settings>;
  readonly tls: LoadedPart<TlsPart>;
  readonly rules: LoadedPart<RulesPart>;
  readonly maps: LoadedPart<IdentMaps>;
}

/** As much of each part as a snapshot is made of. */
export type SnapshotParts = { readonly [Name in Part]: Pick<Parts[Name], 'value' | 'hash'> };

/** A configuration as loaded at start: what ConfigHolder begins with. */
export interface LoadedConfiguration {
  readonly snapshot: Snapshot;
  readonly warnings: readonly Problem[];
  readonly parts: Parts;
  /** What the parts were loaded by. */
  readonly inputs: AllInputs;
  readonly overrides: Overrides;
}

/** What each part but the settings was loaded by. */
interface AllInputs {
  readonly tls: Inputs;
  readonly rules: Inputs;
  readonly maps: Inputs;
}

/**
 * Loads everything that `serve` needs. Opens no port.
 *
 * @param configFile path of the YAML file
 * @param overrides what goes over it, now and at each reload
 * @throws LoadError with the problems of all parts together
 */
export async function loadSnapshot(
  configFile: string,
  overrides: Overrides = noOverrides,
): Promise<LoadedConfiguration> {
  const file = resolve(configFile);
  const settings = await attemptSettings(file, overrides);
  if (!settings.ok)
    throw new LoadError([...settings.problems, ...(await problemsBesideSettings(file, overrides))]);
  // Before the files are read: what changes in between is then read again at the next reload.
  const inputs = inputsOf(settings.value);
  const tls = await attemptTls(settings.value, { reload: false });
  const rules = await attemptRules(settings.value);
  const maps = await attemptMaps(settings.value);
  if (!tls.ok || !rules.ok || !maps.ok) {
    throw new LoadError([tls, rules, maps].flatMap((part) => (part.ok ? [] : part.problems)));
  }
  const loaded = { settings, tls, rules, maps };
  return { snapshot: snapshotOf(loaded), warnings: warningsOf(loaded), parts: loaded, inputs, overrides };
}

/** The snapshot in force, and the only one who replaces it. */
export class ConfigHolder {
  #current: Snapshot;
  #parts: Parts;
  #inputs: AllInputs;
  /** Before the settings that need a restart are put back. */
  #settingsAsRead: LoadedPart<Settings>;
  #sources: Sources;
  readonly #overrides: Overrides;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Promise<Reload> | null = null;

  constructor({ snapshot, parts: loaded, inputs, overrides }: LoadedConfiguration) {
    this.#overrides = overrides;
    this.#current = snapshot;
    this.#parts = loaded;
    this.#inputs = inputs;
    this.#settingsAsRead = loaded.settings;
    this.#sources = mergeSources(Object.values(loaded));
  }

  get current(): Snapshot {
    return this.#current;
  }

  /** What the snapshot is made of, for handing it over to another process. */
  get parts(): Parts {
    return this.#parts;
  }

  /** Every file that the last load read or looked for, as it found it. A new object after each reload. */
  get sources(): Sources {
    return this.#sources;
  }

  /**
   * Reads everything again. Reloads run one after another. Anyone who asks while one is running shares the next, which
   * has not read anything yet, with all others who wait.
   *
   * @returns what was reloaded and what was not; the same promise for all who share a reload
   */
  reload(): Promise<Reload> {
    if (this.#waiting !== null) return this.#waiting;
    const next = this.#running.then(() => {
      this.#waiting = null;
      return this.#reload();
    });
    this.#waiting = next;
    this.#running = next.then(over, over);
    return next;
  }

  /**
   * Says what a reload would bring with the files as they are now. Nothing is put in force and nothing is remembered, so
   * the watcher still finds the change. It takes its turn among the reloads.
   */
  dryRun(): Promise<DryRun> {
    const next = this.#running.then(async () => {
      const { result, parts: tried } = await this.#try({ isDryRun: true });
      const changed = result.reloaded.filter((part) => isChanged(part, tried, this.#parts));
      return { result, changed, parts: tried, current: snapshotOf(tried) };
    });
    this.#running = next.then(over, over);
    return next;
  }

  async #reload(): Promise<Reload> {
    const before = this.#parts;
    const { settingsAsRead, attempts, inputs, result, parts: tried } = await this.#try({ isDryRun: false });
    if (settingsAsRead.ok) this.#settingsAsRead = settingsAsRead;
    this.#sources = mergeSources(Object.values(attempts));
    if (result.reloaded.length === 0) return { ...result, before, after: before };
    this.#inputs = {
      tls: attempts.tls.ok ? inputs.tls : this.#inputs.tls,
      rules: attempts.rules.ok ? inputs.rules : this.#inputs.rules,
      maps: attempts.maps.ok ? inputs.maps : this.#inputs.maps,
    };
    this.#parts = tried;
    this.#current = snapshotOf(tried);
    return { ...result, before, after: tried };
  }

  /** Loads everything, and changes nothing. */
  async #try(how: { readonly isDryRun: boolean }): Promise<Tried> {
    const { file } = this.#current.settings;
    const settingsAsRead = await unlessUnchanged({ part: this.#settingsAsRead, inputs: [] }, [], () =>
      attemptSettings(file, this.#overrides),
    );
    const { settings, warnings } = withoutRestartOnly(settingsAsRead, this.#current.settings);
    const effective = settings.ok ? settings.value : this.#current.settings;
    const inputs = inputsOf(effective);
    const attempts: Attempts = { settings, ...(await this.#attemptBeside(effective, inputs, how)) };
    const tried: Parts = {
      settings: attempts.settings.ok ? attempts.settings : this.#parts.settings,
      tls: attempts.tls.ok ? attempts.tls : this.#parts.tls,
      rules: attempts.rules.ok ? attempts.rules : this.#parts.rules,
      maps: attempts.maps.ok ? attempts.maps : this.#parts.maps,
    };
    return {
      settingsAsRead,
      attempts,
      inputs,
      parts: tried,
      result: resultOf(attempts, warnings, effective),
    };
  }

  /** What has not changed since it was loaded is not loaded again. */
  async #attemptBeside(
    settings: Settings,
    inputs: AllInputs,
    { isDryRun }: { readonly isDryRun: boolean },
  ): Promise<Omit<Attempts, 'settings'>> {
    const { tls, rules, maps } = this.#parts;
    const before = this.#inputs;
    const passphrases = isDryRun ? passphrasesOf(tls.value) : undefined;
    const again = async (): Promise<Attempt<TlsPart>> =>
      await attemptTls(settings, { reload: true, passphrases, before: tls.value });
    return {
      tls: needsPassphrase(tls.value)
        ? await again()
        : withWarningsOfNow(await unlessUnchanged({ part: tls, inputs: before.tls }, inputs.tls, again)),
      rules: await unlessUnchanged({ part: rules, inputs: before.rules }, inputs.rules, () =>
        attemptRules(settings),
      ),
      maps: await unlessUnchanged({ part: maps, inputs: before.maps }, inputs.maps, () =>
        attemptMaps(settings),
      ),
    };
  }
}

/** Lets go of what a turn has brought: a state that is not in force must not stay in memory. */
function over(): void {}

function inputsOf(settings: Settings): AllInputs {
  return {
    tls: inputsOfTls(settings),
    rules: inputsOfRules(settings),
    maps: inputsOfMaps(settings),
  };
}

/** What one look at all files has brought. */
interface Tried {
  readonly settingsAsRead: Attempt<Settings>;
  readonly attempts: Attempts;
  readonly inputs: AllInputs;
  /** What would be in force, or will be. */
  readonly parts: Parts;
  readonly result: ReloadResult;
}

function isChanged(part: Part, tried: Parts, before: Parts): boolean {
  switch (part) {
    case 'settings':
      return tried.settings.hash !== before.settings.hash;
    case 'tls':
      return tried.tls.value.hosts !== before.tls.value.hosts || tried.tls.hash !== before.tls.hash;
    // What was not read again is the same object.
    case 'rules':
      return tried.rules.value !== before.rules.value;
    case 'maps':
      return tried.maps.value !== before.maps.value;
    default:
      return part satisfies never;
  }
}

type Attempts = { readonly [Name in Part]: Attempt<Parts[Name]['value']> };

function resultOf(attempts: Attempts, restartWarnings: readonly Problem[], settings: Settings): ReloadResult {
  const failed = parts.filter((part) => !attempts[part].ok);
  const results = parts.map((part) => attempts[part]);
  return {
    ok: failed.length === 0,
    reloaded: parts.filter((part) => attempts[part].ok),
    errors: results.flatMap((attempt) => (attempt.ok ? [] : attempt.problems)),
    warnings: [...restartWarnings, ...results.flatMap((attempt) => (attempt.ok ? attempt.warnings : []))],
    notReloaded: failed.map((part) => notReloadedText(part, settings)),
  };
}

/** PostgreSQL's words for a part that kept its old state (semantics §2.2, T13). */
function notReloadedText(part: Part, settings: Settings): string {
  switch (part) {
    case 'settings':
      return `configuration file "${settings.file}" contains errors; no changes were applied`;
    case 'tls':
      return 'SSL configuration was not reloaded';
    case 'rules':
      return `${settings.hba_file} was not reloaded`;
    case 'maps':
      return `${settings.ident_file} was not reloaded`;
    default:
      return part satisfies never;
  }
}

/**
 * The parts as one object, with the hash over theirs.
 *
 * @param nonce of mock salts, where another process has made it
 */
export function snapshotOf({ settings, tls, rules, maps }: SnapshotParts, nonce?: Buffer): Snapshot {
  const { hba, secrets } = rules.value;
  return Object.freeze({
    settings: deepFreeze(settings.value),
    tls: tls.value.hosts,
    acceptor: tls.value.acceptor,
    adminTls: tls.value.admin,
    rules: hba,
    maps: maps.value,
    passwords:
      secrets === null && settings.value.auth_query === ''
        ? null
        : {
            secrets: secrets ?? new Map(),
            iterations: settings.value.scram_iterations,
            mockNonce: nonce ?? mockNonceFor(tls.value.hosts?.materials[0] ?? null),
          },
    hash: sha256([settings, tls, rules, maps].map((part) => part.hash).join('\n')),
  });
}

/** Freezes plain objects and arrays. JavaScript freezes no Map and no bytes; their types are read-only. */
function deepFreeze<T extends object>(value: T): T {
  if (ArrayBuffer.isView(value)) return value;
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  }
  return Object.freeze(value);
}

function warningsOf(loaded: Parts): readonly Problem[] {
  return parts.flatMap((part) => loaded[part].warnings);
}

function mergeSources(attempts: readonly { readonly sources: Sources }[]): Sources {
  const merged = new Map<string, Source>();
  for (const { sources } of attempts) {
    for (const [path, source] of sources) noteSource(merged, path, source);
  }
  return merged;
}
