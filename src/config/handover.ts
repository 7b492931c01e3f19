// The state in force, from the first process to a worker: plain data for the channel between them, and the snapshot
// made of it again. SECURITY: it holds the private key and the users' secrets. It goes through that channel only, never
// by environment, arguments or disk, and nothing of it is logged.

import { X509Certificate } from 'node:crypto';
import type { TlsOptions } from 'node:tls';
import { LoadError, type SettingPlace } from '../base/problems.ts';
import { TlsHosts, type TlsHost } from '../tls/hosts.ts';
import { plainListOf } from '../tls/material/revocation-lists.ts';
import { contextFor } from '../tls/material/shared-context.ts';
import { TlsAcceptor } from '../tls/tls-acceptor.ts';
import type { TlsMaterial } from '../tls/types.ts';
import type { PlainList } from '../x509/plain-list.ts';
import { RecordingFileSystem } from './files.ts';
import { attemptMaps, attemptRules, type Attempt, type PartRecording } from './parts.ts';
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
type ShownOnly = 'certificates' | 'crls' | 'hasUndescribedList' | 'fileWarnings';

/** The certificates as DER: an object of OpenSSL's cannot be sent. The revocation lists as numbers of SentTls.lists. */
type SentMaterial = Omit<TlsMaterial, 'context' | 'options' | 'authorities' | 'plainLists' | ShownOnly> & {
  readonly authorities: readonly Buffer[];
  readonly options: Omit<TlsOptions, 'crl'>;
  readonly lists: readonly number[];
};

/** One host, with its place among the materials. */
type SentHost = Omit<TlsHost, 'material'> & { readonly material: number };

/** SECURITY: the mode goes with the certificates, as it stands beside them in the first process. */
interface SentTls {
  readonly choosesByName: boolean;
  readonly hosts: readonly SentHost[];
  /** Of one that the worker has, only its place among those that the worker was sent last. */
  readonly materials: readonly (SentMaterial | number)[];
  /** Every revocation list once, in PEM, however many hosts it counts for. */
  readonly lists: readonly string[];
}

/** The state as it goes through the channel. */
export interface SentState {
  /** Of the snapshot: what the worker makes of it must have the same. */
  readonly hash: string;
  readonly settings: SentPart<SentSettings>;
  /** Null = ssl is off. The admin listener's own material stays with the first process. */
  readonly tls: SentPart<SentTls | null>;
  readonly rules: SentPart<PartRecording>;
  readonly maps: SentPart<PartRecording>;
  /** Of the snapshot: an unknown user's salt is the same whichever worker it comes from. */
  readonly mockNonce: Buffer | undefined;
}

/**
 * The state in force, for a worker.
 *
 * @param before what this worker was sent last. A part that has not changed since is not sent again
 */
export function packState(parts: Parts, snapshot: Snapshot, before: Parts | null): SentState {
  const { settings, tls, rules, maps } = parts;
  const { value } = settings;
  const { placeOf, ...plain } = value;
  const places = new Map(Object.keys(schema).map((name) => [name, placeOf(name)]));
  const [hosts, hostsBefore] = [tls.value.hosts, before?.tls.value.hosts];
  return {
    hash: snapshot.hash,
    settings: { hash: settings.hash, value: { ...plain, places } },
    tls: { hash: tls.hash, value: hosts === hostsBefore ? 'kept' : packHosts(hosts, hostsBefore ?? null) },
    // SECURITY: by identity, because a changed secret is in no hash. What a reload has not read again is the same object.
    rules: packRecording(rules, before?.rules.value === rules.value),
    maps: packRecording(maps, before?.maps.value === maps.value),
    mockNonce: snapshot.passwords?.mockNonce,
  };
}

function packHosts(hosts: TlsHosts | null, before: TlsHosts | null): SentTls | null {
  if (hosts === null) return null;
  const sentBefore = placesOf(before?.materials ?? []);
  const lists = new Map<string, number>();
  const materials = hosts.materials.map(
    (material) => sentBefore.get(material) ?? packMaterial(material, lists),
  );
  const places = placesOf(hosts.materials);
  const sent = hosts.all.map(({ material, ...host }): SentHost => ({
    ...host,
    material: places.get(material) ?? -1,
  }));
  return { choosesByName: hosts.choosesByName, hosts: sent, materials, lists: [...lists.keys()] };
}

function placesOf(materials: readonly TlsMaterial[]): ReadonlyMap<TlsMaterial, number> {
  return new Map(materials.map((material, index) => [material, index]));
}

/** @param lists the number of each list that is sent; new ones are added */
function packMaterial(material: TlsMaterial, lists: Map<string, number>): SentMaterial {
  const {
    context: _context,
    certificates: _certificates,
    crls: _crls,
    hasUndescribedList: _hasUndescribedList,
    fileWarnings: _fileWarnings,
    plainLists: _plainLists,
    authorities,
    options: { crl, ...options },
    ...plain
  } = material;
  const numbers = listsOf(crl).map((list) => {
    const number = lists.get(list) ?? lists.size;
    lists.set(list, number);
    return number;
  });
  return { ...plain, options, authorities: authorities.map(({ raw }) => raw), lists: numbers };
}

function listsOf(crl: TlsOptions['crl']): readonly string[] {
  return [crl ?? []].flat().map((list) => (typeof list === 'string' ? list : list.toString('latin1')));
}

function packRecording(
  { hash, recording }: Parts['rules' | 'maps'],
  isKept: boolean,
): SentPart<PartRecording> {
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
    const { parts, snapshot } = await this.#read(sent);
    this.#parts = parts;
    this.#current = snapshot;
  }

  /**
   * Makes a state that is not to be in force.
   *
   * @throws Error where it cannot be made as it was
   */
  async look(sent: SentState): Promise<Snapshot> {
    return (await this.#read(sent)).snapshot;
  }

  async #read(sent: SentState): Promise<{ readonly parts: SnapshotParts; readonly snapshot: Snapshot }> {
    const before = this.#parts;
    const settings = unpackSettings(sent.settings);
    const tls =
      sent.tls.value === 'kept'
        ? { hash: sent.tls.hash, value: known(before).tls.value }
        : { hash: sent.tls.hash, value: unpackTls(sent.tls.value, before?.tls.value.hosts ?? null) };
    const rules =
      sent.rules.value === 'kept'
        ? known(before).rules
        : loaded(await attemptRules(...replay(settings.value, sent.rules.value)));
    const maps =
      sent.maps.value === 'kept'
        ? known(before).maps
        : loaded(await attemptMaps(...replay(settings.value, sent.maps.value)));
    const parts = { settings, tls, rules, maps };
    const snapshot = snapshotOf(parts, sent.mockNonce);
    // SECURITY: all workers decide by one state, or not at all.
    if (snapshot.hash !== sent.hash)
      throw new Error('the state that was received is not the one that was sent');
    return { parts, snapshot };
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

/** @param before the hosts that were received last, for those that have not changed */
function unpackTls(sent: SentTls | null, before: TlsHosts | null): SnapshotParts['tls']['value'] {
  if (sent === null) return { hosts: null, acceptor: null, admin: null, listsFrom: '', fileWarnings: [] };
  const lists = sent.lists.map((pem) => ({ pem, plain: plainListOf(pem) }));
  const materialsBefore = before?.materials ?? [];
  const materials = sent.materials.map((material) =>
    typeof material === 'number' ? materialAt(materialsBefore, material) : unpackMaterial(material, lists),
  );
  const hosts = new TlsHosts(
    sent.choosesByName,
    sent.hosts.map(({ material, ...host }) => ({ ...host, material: materialAt(materials, material) })),
  );
  return { hosts, acceptor: new TlsAcceptor(hosts), admin: null, listsFrom: '', fileWarnings: [] };
}

function materialAt(materials: readonly TlsMaterial[], place: number): TlsMaterial {
  const material = materials[place];
  if (material === undefined) throw new Error('a host was not sent');
  return material;
}

interface ReceivedList {
  readonly pem: string;
  readonly plain: PlainList | null;
}

function unpackMaterial(
  { lists: numbers, options: sentOptions, ...sent }: SentMaterial,
  received: readonly ReceivedList[],
): TlsMaterial {
  const lists = numbers.flatMap((number) => received[number] ?? []);
  // SECURITY: a list that is missing would let the revoked in.
  if (lists.length !== numbers.length) throw new Error('a revocation list was not sent');
  const plain = lists.flatMap((list) => list.plain ?? []);
  const options = { ...sentOptions, ...(lists.length === 0 ? {} : { crl: lists.map(({ pem }) => pem) }) };
  return {
    ...sent,
    options,
    certificates: [],
    crls: [],
    hasUndescribedList: false,
    fileWarnings: [],
    get context() {
      return contextFor(options);
    },
    authorities: sent.authorities.map((der) => new X509Certificate(der)),
    plainLists: plain.length === lists.length ? plain : null,
  };
}

/**
 * What a part is loaded from again. Its own paths go over those of the settings. Otherwise no worker could start after a
 * reload that has named a file which could not be loaded.
 */
function replay(settings: Settings, recording: PartRecording): [Settings, RecordingFileSystem] {
  return [{ ...settings, ...recording.paths }, RecordingFileSystem.replaying(recording)];
}

function loaded<T>(part: Attempt<T>): { readonly value: T; readonly hash: string } {
  if (!part.ok) throw new LoadError(part.problems);
  return { value: part.value, hash: part.hash };
}
