// What stays after a reload that has read a host's files again and found the same in them. A handshake that was made with
// them is not stale then (contract §7.32), and OpenSSL need not read the revocation lists again.

import { isDeepStrictEqual } from 'node:util';
import type { Steps } from '../base/steps.ts';
import { TlsHosts, type TlsHost } from './hosts.ts';
import type { TlsMaterial } from './types.ts';

/**
 * Newly loaded hosts, with the old material wherever the new one is equal; the old hosts themselves where nothing differs.
 * Work that may be interrupted after each host.
 *
 * @param before null = there were none
 */
export function* keepingWhatIsSame(loaded: TlsHosts, before: TlsHosts | null): Steps<TlsHosts> {
  if (before === null) return loaded;
  const old = new OldMaterials(before);
  const all: TlsHost[] = [];
  for (const host of loaded.all) {
    all.push({ ...host, material: old.equalTo(host) ?? host.material });
    yield;
  }
  const isUnchanged =
    loaded.choosesByName === before.choosesByName &&
    all.length === before.all.length &&
    all.every((host, index) => isSameHost(host, before.all[index]));
  return isUnchanged ? before : new TlsHosts(loaded.choosesByName, all);
}

/** The materials of the state before. Each pair is compared once: there may be thousands of hosts. */
class OldMaterials {
  readonly #byLabel: ReadonlyMap<string | null, TlsMaterial>;
  readonly #byKey = new Map<string, Set<TlsMaterial>>();
  readonly #compared = new Map<TlsMaterial, Map<TlsMaterial, boolean>>();

  constructor(before: TlsHosts) {
    this.#byLabel = new Map(before.all.map(({ label, material }) => [label, material]));
    for (const material of before.materials) {
      const key = keyOf(material);
      this.#byKey.set(key, (this.#byKey.get(key) ?? new Set()).add(material));
    }
  }

  /** The host's own where that is equal: several hosts may have equal files, and each keeps its own. */
  equalTo({ label, material }: TlsHost): TlsMaterial | undefined {
    const equal = this.#byKey.get(keyOf(material)) ?? new Set();
    const own = this.#byLabel.get(label);
    if (own !== undefined && equal.has(own) && this.#areSame(material, own)) return own;
    return [...equal].find((each) => this.#areSame(material, each));
  }

  #areSame(loaded: TlsMaterial, old: TlsMaterial): boolean {
    const known = this.#compared.get(loaded) ?? new Map<TlsMaterial, boolean>();
    this.#compared.set(loaded, known);
    const isSame = known.get(old) ?? isSameMaterial(loaded, old);
    known.set(old, isSame);
    return isSame;
  }
}

/** What to look for among many hosts; only what is equal in everything is the same. */
function keyOf({ certificates }: TlsMaterial): string {
  return certificates.map(({ role, file, fingerprint }) => `${role} ${fingerprint} ${file}`).join('\n');
}

/**
 * By all that a handshake is made with, and by the files where that was found: what is shown of it follows from the two.
 *
 * @param other of the same key
 */
function isSameMaterial(one: TlsMaterial, other: TlsMaterial): boolean {
  return (
    isDeepStrictEqual(one.options, other.options) && isDeepStrictEqual(filesOfLists(one), filesOfLists(other))
  );
}

function filesOfLists({ crls }: TlsMaterial): readonly string[] {
  return crls.map(({ file }) => file);
}

function isSameHost(host: TlsHost, before: TlsHost | undefined): boolean {
  if (host.material !== before?.material) return false;
  const { material: _material, ...rest } = host;
  const { material: _before, ...restBefore } = before;
  return isDeepStrictEqual(rest, restBefore);
}
