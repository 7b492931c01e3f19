// `explain --sni`: which line of pg_hosts.conf a client meets that names a host in its TLS handshake, or none.

import { fromText } from '../base/bytestring.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { ServerName, TlsMaterial } from '../tls/types.ts';

/** The choice by name, where ssl_sni is on. */
export interface HostMet {
  /** The line's names; null where ssl_cert_file serves everyone, or where nobody serves this client. */
  readonly label: string | null;
  /** Why no certificate is shown, and which alert the client gets instead. */
  readonly refusal?: string;
}

/** @returns null where no name decides: ssl_sni is off, or TLS is */
export function hostMet({ tls, settings }: Snapshot, sni: string | undefined): HostMet | null {
  if (tls?.choosesByName !== true) return null;
  const choice = tls.choose(serverNameOf(sni));
  if (choice.kind === 'host') return { label: choice.host.label };
  const file = settings.hosts_file;
  const refusal =
    choice.kind === 'no-name'
      ? `${file} has no line for clients that name no host: the client gets the TLS alert handshake_failure`
      : `no host of ${file} matches "${sni}": the client gets the TLS alert unrecognized_name`;
  return { label: null, refusal };
}

/** What the client's handshake is made with; null where there is none. */
export function materialMet({ tls }: Snapshot, sni: string | undefined): TlsMaterial | null {
  return tls?.materialFor(serverNameOf(sni)) ?? null;
}

function serverNameOf(sni: string | undefined): ServerName {
  return sni === undefined || sni === '' ? { kind: 'none' } : { kind: 'named', name: fromText(sni) };
}

/** For JSON. */
export function hostJson({ label, refusal }: HostMet): Record<string, unknown> {
  return { host: label, ...(refusal === undefined ? {} : { reason: refusal }) };
}

/** For a person. */
export function hostLine({ label, refusal }: HostMet): string {
  if (refusal !== undefined) return `rejected: ${refusal}`;
  return label === null ? 'host: any, "ssl_cert_file" serves it' : `host: ${label}`;
}
