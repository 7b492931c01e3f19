// The certificates and revocation lists in force, as /certificates, the console and the metrics show them.

import type { CrlInUse, HostCertificate, TlsMaterial } from '../tls/types.ts';
import type { Snapshot } from './snapshot.ts';

/** The certificates and revocation lists in force, the admin listener's included; each list once. */
export function certificatesInUse({ tls, adminTls }: Pick<Snapshot, 'tls' | 'adminTls'>): {
  readonly certificates: readonly HostCertificate[];
  readonly crls: readonly CrlInUse[];
} {
  const ofHosts = (tls?.all ?? []).flatMap(({ label, material }) =>
    material.certificates.map((certificate) => ({ ...certificate, host: label })),
  );
  const ofAdmin = (adminTls?.certificates ?? []).map((certificate) => ({ ...certificate, host: null }));
  return {
    certificates: [...ofHosts, ...ofAdmin],
    crls: tls === null ? (adminTls?.crls ?? []) : distinctLists(tls.materials),
  };
}

/**
 * The lists of all hosts. A reload leaves the hosts whose files it found the same as they were, with what was made of a
 * list then; the others have what it has made of the same list. Within one host each list stands for itself.
 */
function distinctLists(materials: readonly TlsMaterial[]): readonly CrlInUse[] {
  const distinct = new Map<string, readonly CrlInUse[]>();
  for (const { crls } of materials) {
    const own = Map.groupBy(crls, ({ revokedSerials, ...shown }) =>
      JSON.stringify([shown, revokedSerials.size]),
    );
    for (const [list, times] of own) {
      if (times.length > (distinct.get(list)?.length ?? 0)) distinct.set(list, times);
    }
  }
  return [...distinct.values()].flat();
}
