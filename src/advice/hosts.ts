// What is right in form about pg_hosts.conf and wrong in fact: clients that no line is for, or whom no rule can admit, and
// names that no client sends.

import { toText } from '../base/bytestring.ts';
import type { Problem } from '../base/problems.ts';
import type { TlsHosts } from '../tls/hosts.ts';
import type { LineAdvice } from './lines.ts';

/**
 * Advice on the lines of pg_hosts.conf.
 *
 * @param hostsFile absolute path of the file
 * @param rules what the lines of pg_hba.conf admit
 */
export function adviseOnHosts({ all }: TlsHosts, hostsFile: string, rules: LineAdvice): Problem[] {
  if (all.every(({ label }) => label === null)) return [];
  const at = (message: string, hint: string): Problem => ({ file: hostsFile, line: null, message, hint });
  const kinds = new Set(all.map(({ names }) => names.kind));
  const isCertificateNeeded = rules.admitting > 0 && !rules.takesTlsWithoutCertificate;
  const names = all.flatMap((host) => (host.names.kind === 'names' ? host.names.names : []));
  return [
    ...(kinds.has('default') || kinds.has('no-sni')
      ? []
      : [
          at(
            'clients that name no host are refused: those that connect to an address, or with sslsni=0',
            'Add a line for "/no_sni/", or one for "*" which serves every other name too.',
          ),
        ]),
    ...all
      .filter(({ material }) => isCertificateNeeded && !material.requestsClientCertificate)
      .map(({ label }) =>
        at(
          `no client of host ${label ?? '*'} is admitted: it is asked for no certificate, and every line that admits demands one`,
          'Write the certificate of the authority that issues the client certificates into the fourth field of the line.',
        ),
      ),
    ...names
      .map(toText)
      .filter((name) => /[*/]/.test(name) || name === 'no_sni')
      .map((name) =>
        at(
          `host "${name}" is a name like any other: only a client that names exactly that meets it`,
          'There are no wildcards and no patterns. "*" alone is every other name, "/no_sni/" a client that names none.',
        ),
      ),
  ];
}
