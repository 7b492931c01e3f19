// Which certificate a client is shown: one for everyone, or one for each host of pg_hosts.conf (contract §11, sni.md
// §2.3). The choice is made from the gate's own reading of the ClientHello, before OpenSSL sees a byte of it.

import { toText, type ByteString } from '../base/bytestring.ts';
import { foldHostName, type HostNames } from '../rules/hosts.ts';
import type { ServerName, TlsMaterial } from './types.ts';

/** One line of pg_hosts.conf, or the ssl_* settings where there is none. */
export interface TlsHost {
  readonly names: HostNames;
  /** The line's names as written; null where no line of pg_hosts.conf made it. */
  readonly label: string | null;
  /** Absolute path of the certificate's file. */
  readonly certFile: string;
  /** '' = its clients are asked for no certificate. */
  readonly caFile: string;
  readonly material: TlsMaterial;
}

/** What a client gets that wants a host. */
export type HostChoice =
  | { readonly kind: 'host'; readonly host: TlsHost }
  /** It named a host that no line has, and there is no default. */
  | { readonly kind: 'unknown-name' }
  /** It named none, and there is neither a line for that nor a default. */
  | { readonly kind: 'no-name' }
  /** What it named cannot be read. */
  | { readonly kind: 'malformed' }
  /** It has sent nothing that the gate can read as a ClientHello. */
  | { readonly kind: 'unreadable' };

/**
 * What TLS clients are served with. SECURITY: whether the name decides stands beside the certificates that it belongs
 * to. A reload that fails keeps both; with the setting of the one and the certificates of the other a client would be
 * shown a host that it did not ask for, or none at all.
 */
export class TlsHosts {
  /** ssl_sni, as it was when these files were read. */
  readonly choosesByName: boolean;
  /** In the order of the file; at least one. */
  readonly all: readonly TlsHost[];
  readonly #byName = new Map<ByteString, TlsHost>();

  constructor(choosesByName: boolean, all: readonly TlsHost[]) {
    this.choosesByName = choosesByName;
    this.all = all;
    for (const host of all) {
      if (host.names.kind !== 'names') continue;
      for (const name of host.names.names) this.#byName.set(foldHostName(name), host);
    }
    // An empty name matches nobody (sni.md §2.1).
    this.#byName.delete('');
  }

  /** Each once, in the order of the hosts, however many of them share it. */
  get materials(): readonly TlsMaterial[] {
    return [...new Set(this.all.map(({ material }) => material))];
  }

  /** Some host asks its clients for a certificate. */
  get requestsClientCertificate(): boolean {
    return this.all.some(({ material }) => material.requestsClientCertificate);
  }

  /** The host for what a ClientHello says. */
  choose(wanted: ServerName): HostChoice {
    if (!this.choosesByName) return chosen(this.all[0], 'unreadable');
    switch (wanted.kind) {
      case 'named':
        return chosen(this.#byName.get(foldHostName(wanted.name)) ?? this.#only('default'), 'unknown-name');
      case 'none':
        return chosen(this.#only('no-sni') ?? this.#only('default'), 'no-name');
      // SECURITY: never the default host. Its certificate and its CA are for clients whose wish has been read.
      case 'malformed':
      case 'unreadable':
        return { kind: wanted.kind };
      default:
        return wanted satisfies never;
    }
  }

  /** The material for what a ClientHello says; null where such a client is refused. */
  materialFor(wanted: ServerName): TlsMaterial | null {
    const choice = this.choose(wanted);
    return choice.kind === 'host' ? choice.host.material : null;
  }

  #only(kind: 'default' | 'no-sni'): TlsHost | undefined {
    return this.all.find(({ names }) => names.kind === kind);
  }
}

function chosen(host: TlsHost | undefined, otherwise: Exclude<HostChoice['kind'], 'host'>): HostChoice {
  return host === undefined ? { kind: otherwise } : { kind: 'host', host };
}

/** A line's names as they stand in the file, for people. */
export function labelOf(names: HostNames): string {
  switch (names.kind) {
    case 'names':
      return names.names.map(toText).join(',');
    case 'default':
      return '*';
    case 'no-sni':
      return '/no_sni/';
    default:
      return names satisfies never;
  }
}
