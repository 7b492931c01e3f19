// Revocation lists whose age, or whose absence, refuses every client certificate. Said at the start, at a reload, by
// `check` and by /readyz, in the same words (contract §17).

import type { Problem } from '../base/problems.ts';
import type { TlsHost } from './hosts.ts';

/**
 * One error for each authority of a host, where none has a list that is in force: then every certificate is refused.
 *
 * @param file ssl_crl_file or ssl_crl_dir, where the lists are looked for
 */
export function refusingLists({ material, label }: TlsHost, file: string, now: Date): Problem[] {
  const authorities = material.certificates.filter(({ role }) => role === 'ca');
  if (!material.checksRevocation || authorities.length === 0) return [];
  const whom = label === null ? 'every client' : `every client of host ${label}`;
  const states = authorities.map(({ subject }) => {
    const lists = material.crls.filter(({ issuer }) => issuer === subject);
    const inForce = lists.some(
      ({ lastUpdate, nextUpdate }) => lastUpdate <= now && (nextUpdate === null || nextUpdate >= now),
    );
    return { subject, inForce, hasList: lists.length > 0 };
  });
  if (states.some(({ inForce }) => inForce)) return [];
  return states.map(({ subject, hasList }) => ({
    file,
    line: null,
    message: hasList
      ? `${whom} is refused: the certificate revocation list of "${subject}" is not in force`
      : `${whom} is refused: there is no certificate revocation list of "${subject}"`,
    hint: 'Fetch or issue a current list.',
    level: 'error',
  }));
}
