// What stays after a reload that has read a host's files again and found the same in them. A handshake that was made with
// them is not stale then (contract §7.32), and OpenSSL need not read the revocation lists again.

import { isDeepStrictEqual } from 'node:util';
import { TlsHosts } from './hosts.ts';
import type { TlsMaterial } from './types.ts';

/**
 * Newly loaded hosts, with the old material wherever the new one is equal; the old hosts themselves where nothing differs.
 *
 * @param before null = there were none
 */
export function keepingWhatIsSame(loaded: TlsHosts, before: TlsHosts | null): TlsHosts {
  if (before === null) return loaded;
  const old = new Map<string, TlsMaterial[]>();
  for (const material of before.materials) {
    const known = old.get(keyOf(material));
    if (known === undefined) old.set(keyOf(material), [material]);
    else known.push(material);
  }
  const all = loaded.all.map((host) => {
    const same = old.get(keyOf(host.material))?.find((material) => isSameMaterial(material, host.material));
    return same === undefined ? host : { ...host, material: same };
  });
  const isUnchanged =
    loaded.choosesByName === before.choosesByName &&
    all.length === before.all.length &&
    all.every((host, index) => isSameHost(host, before.all[index]));
  return isUnchanged ? before : new TlsHosts(loaded.choosesByName, all);
}

/** What to look for among many hosts; only what is equal in everything is the same. */
function keyOf({ certificates }: TlsMaterial): string {
  return certificates.map(({ role, fingerprint }) => `${role} ${fingerprint}`).join('\n');
}

/** By all that a handshake is made with, and by what is shown of it. */
function isSameMaterial(one: TlsMaterial, other: TlsMaterial): boolean {
  return (
    isDeepStrictEqual(one.options, other.options) &&
    isDeepStrictEqual(one.certificates, other.certificates) &&
    isDeepStrictEqual(one.crls, other.crls)
  );
}

function isSameHost(host: TlsHosts['all'][number], before: TlsHosts['all'][number] | undefined): boolean {
  if (host.material !== before?.material) return false;
  const { material: _material, ...rest } = host;
  const { material: _before, ...restBefore } = before;
  return isDeepStrictEqual(rest, restBefore);
}
