// The state in force, from the first process to a worker: plain data for the channel between them, and the snapshot
// made of it again. SECURITY: it holds the private key and the users' secrets. It goes through that channel only, never
// by environment, arguments or disk, and nothing of it is logged.

import { X509Certificate } from 'node:crypto';
import { LoadError, type SettingPlace } from '../base/problems.ts';
import { plainListsOf } from '../tls/material/revocation-lists.ts';
import { contextFor } from '../tls/material/shared-context.ts';
import { TlsAcceptor } from '../tls/tls-acceptor.ts';
import type { TlsMaterial } from '../tls/types.ts';
import { RecordingFileSystem, type Recording } from './files.ts';
import { attemptMaps, attemptRules, type Attempt } from './parts.ts';
import { schema, type Settings } from './schema.ts';
import { originOf } from './setting-values.ts';
import { snapshotOf, type Parts, type Snapshot, type SnapshotParts } from './snapshot.ts';

/** What stands for a part that the worker has already. */
type Kept = 'kept';

/** A part of the state, or that it has not changed. */
interface SentPart<T> {
  readonly hash: string;
  readonly value: T | Kept;
}

type SentSettings = Omit<Settings, 'placeOf'> & {
  readonly places: ReadonlyMap<string, SettingPlace>;
};

/** What only the first process shows: certificates, lists and warnings. A list may hold a million entries. */
type ShownOnly = 'certificates' | 'crls' | 'warnings';

/** The certificates as DER: an object of OpenSSL's cannot be sent. */
type SentMaterial = Omit<TlsMaterial, 'context' | 'authorities' | 'plainLists' | ShownOnly> & {
  readonly authorities: readonly Buffer[];
};

/** The state as it goes through the channel. */
export interface SentState {
  /** Of the snapshot: what the worker makes of it must have the same. */
  readonly hash: string;
  readonly settings: SentPart<SentSettings>;
  /** Null = ssl is off. The admin listener's own material stays with the first process. */
  readonly tls: SentPart<SentMaterial | null>;
  readonly rules: SentPart<Recording>;
  readonly maps: SentPart<Recording>;
  /** Of the snapshot: an unknown user's salt is the same whichever worker it comes from. */
  readonly mockNonce: Buffer | undefined;
}

/**
 * The state in force, for a worker.
 *
 * @param before what the same worker was sent last: of what is the same as then it gets nothing again
 */
export function packState(parts: Parts, snapshot: Snapshot, before: Parts | null): SentState {
  const { settings, tls, rules, maps } = parts;
  const { value } = settings;
  const { placeOf, ...plain } = value;
  const places = new Map(Object.keys(schema).map((name) => [name, placeOf(name)]));
  const isSameTls = before?.tls.value.material === tls.value.material;
  return {
    hash: snapshot.hash,
    settings: { hash: settings.hash, value: { ...plain, places } },
    tls: { hash: tls.hash, value: isSameTls ? 'kept' : packMaterial(tls.value.material) },
    // SECURITY: by identity, because a changed secret is in no hash. What a reload has not read again is the same object.
    rules: packRecording(rules, before?.rules.value === rules.value),
    maps: packRecording(maps, before?.maps.value === maps.value),
    mockNonce: snapshot.passwords?.mockNonce,
  };
}

function packMaterial(material: TlsMaterial | null): SentMaterial | null {
  if (material === null) return null;
  const {
    context: _context,
    certificates: _certificates,
    crls: _crls,
    warnings: _warnings,
    ...sent
  } = material;
  const { authorities, plainLists: _plainLists, ...plain } = sent;
  return { ...plain, authorities: authorities.map(({ raw }) => raw) };
}

function packRecording({ hash, recording }: Parts['rules' | 'maps'], isKept: boolean): SentPart<Recording> {
  if (isKept) return { hash, value: 'kept' };
  if (recording === undefined) throw new Error('a part was loaded without a record of what was read');
  return { hash, value: recording };
}

/** What a worker makes of the states that it is sent, one after the other. */
export class ReceivedState {
  #parts: SnapshotParts | null = null;
  #current: Snapshot | null = null;

  /** @throws Error before the first `take` */
  get current(): Snapshot {
    if (this.#current === null) throw new Error('no state has been received');
    return this.#current;
  }

  /**
   * Puts a state in force.
   *
   * @throws Error where it cannot be made again as it was: the state before stays, and the worker must not go on with it
   */
  async take(sent: SentState): Promise<void> {
    const before = this.#parts;
    const settings = unpackSettings(sent.settings);
    const tls =
      sent.tls.value === 'kept'
        ? { hash: sent.tls.hash, value: known(before).tls.value }
        : { hash: sent.tls.hash, value: unpackMaterial(sent.tls.value) };
    const rules =
      sent.rules.value === 'kept'
        ? known(before).rules
        : loaded(await attemptRules(settings.value, RecordingFileSystem.replaying(sent.rules.value)));
    const maps =
      sent.maps.value === 'kept'
        ? known(before).maps
        : loaded(await attemptMaps(settings.value, RecordingFileSystem.replaying(sent.maps.value)));
    const parts = { settings, tls, rules, maps };
    const snapshot = snapshotOf(parts, sent.mockNonce);
    // SECURITY: all workers decide by one state, or not at all.
    if (snapshot.hash !== sent.hash)
      throw new Error('the state that was received is not the one that was sent');
    this.#parts = parts;
    this.#current = snapshot;
  }
}

function known(before: SnapshotParts | null): SnapshotParts {
  if (before === null) throw new Error('a part was not sent');
  return before;
}

function unpackSettings({ hash, value }: SentPart<SentSettings>): SnapshotParts['settings'] {
  if (value === 'kept') throw new Error('the settings were not sent');
  const { places, ...plain } = value;
  return { hash, value: { ...plain, ...originOf(value.file, places) } };
}

function unpackMaterial(sent: SentMaterial | null): SnapshotParts['tls']['value'] {
  if (sent === null) return { material: null, acceptor: null, admin: null };
  const material: TlsMaterial = {
    ...sent,
    certificates: [],
    crls: [],
    warnings: [],
    get context() {
      return contextFor(sent.options);
    },
    authorities: sent.authorities.map((der) => new X509Certificate(der)),
    plainLists: plainListsOf(sent.options),
  };
  return { material, acceptor: new TlsAcceptor(material), admin: null };
}

function loaded<T>(part: Attempt<T>): { readonly value: T; readonly hash: string } {
  if (!part.ok) throw new LoadError(part.problems);
  return { value: part.value, hash: part.hash };
}
