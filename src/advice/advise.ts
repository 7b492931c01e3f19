// What `check` says beyond what loading says: a configuration may be right in every line and yet let in nobody,
// everybody or the wrong client (contract §17).

import { distinctProblems, type Problem } from '../base/problems.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { adviseOnCertificates } from './certificates.ts';
import { adviseOnHosts } from './hosts.ts';
import { adviseOnLines } from './lines.ts';
import { adviseOnMaps } from './maps.ts';
import { adviseOnSettings } from './settings.ts';

export interface Advice {
  readonly warnings: readonly Problem[];
  /** Lines of pg_hba.conf that can admit anybody, of how many. */
  readonly admitting: number;
  readonly lines: number;
}

/** Advice on a configuration that loads. */
export function advise({ settings, tls, rules, maps }: Snapshot): Advice {
  const lines = adviseOnLines({
    hba: rules,
    ident: maps,
    roles: settings.roles,
    ssl: tls !== null,
    hasRootCertificates: tls?.requestsClientCertificate ?? false,
    hasHosts: tls?.all.some(({ label }) => label !== null) ?? false,
  });
  const certificates = (tls?.all ?? []).flatMap(adviseOnCertificates);
  return {
    warnings: [
      ...adviseOnSettings(settings),
      ...(tls === null ? [] : adviseOnHosts(tls, settings.hosts_file, lines)),
      ...distinctProblems(certificates),
      ...lines.warnings,
      ...adviseOnMaps(maps),
    ],
    admitting: lines.admitting,
    lines: lines.lines,
  };
}
