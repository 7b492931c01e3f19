// Revocation lists whose age, or whose absence, refuses every client certificate. Said at the start, at a reload, by
// `check` and by /readyz, in the same words (contract §17).

import type { Problem } from '../base/problems.ts';
import type { TlsHost } from './hosts.ts';

/**
 * What refuses every client of a host: an error where no host is left whose clients get in, else a warning.
 *
 * @param file ssl_crl_file or ssl_crl_dir, where the lists are looked for
 */
export function refusingLists(hosts: readonly TlsHost[], file: string, now: Date): Problem[] {
  const asking = hosts.filter(({ material }) => material.requestsClientCertificate);
  const refused = asking.map((host) => refusalsOf(host, file, now)).filter(({ length }) => length > 0);
  const level = refused.length === asking.length ? 'error' : 'warn';
  return refused.flat().map((problem) => ({ ...problem, level }));
}

/**
 * One problem for each authority of a host that has no list in force, where no root has one. Every chain ends at a root,
 * and the root needs a list too (semantics §2.7, §2.8): a list of an intermediate alone lets nobody in.
 */
function refusalsOf({ material, label }: TlsHost, file: string, now: Date): Problem[] {
  const authorities = material.certificates.filter(({ role }) => role === 'ca');
  const isAllDescribed = !material.hasUndescribedList && authorities.length === material.authorities.length;
  // What cannot be described may be the very list, or the root, that lets clients in.
  if (!material.checksRevocation || !isAllDescribed) return [];
  const whom = label === null ? 'every client' : `every client of host ${label}`;
  const states = authorities.map(({ subject, subjectDn, issuerDn }) => {
    // By the whole names: those that people are shown are cut.
    const lists = material.crls.filter((list) => list.issuerDn === subjectDn);
    const isInForce = lists.some(
      ({ lastUpdate, nextUpdate }) => lastUpdate <= now && (nextUpdate === null || nextUpdate >= now),
    );
    return { subject, isRoot: subjectDn === issuerDn, isInForce, hasList: lists.length > 0 };
  });
  if (states.some(({ isRoot, isInForce }) => isRoot && isInForce)) return [];
  return states
    .filter(({ isInForce }) => !isInForce)
    .map(({ subject, hasList }) => ({
      file,
      line: null,
      message: hasList
        ? `${whom} is refused: the certificate revocation list of "${subject}" is not in force`
        : `${whom} is refused: there is no certificate revocation list of "${subject}"`,
      hint: 'Fetch or issue a current list.',
    }));
}
