// What the TLS side hands to the rest: certificates as facts, and the outcome of one handshake.

import type { CertificateFacts, ClientIdentity } from '../x509/types.ts';
import type { ByteString } from '../base/bytestring.ts';
import type { Code } from '../base/codes.ts';
import type { Problem } from '../base/problems.ts';
import type { X509Certificate } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import type { PlainList } from '../x509/plain-list.ts';
import type { PresentedChain } from './judge/presented-chain.ts';

/** One certificate in use, with the part it plays. */
export interface CertificateInUse extends CertificateFacts {
  readonly role: 'server' | 'ca';
  readonly file: string;
}

/** One certificate in use, with whom it is for. */
export interface HostCertificate extends CertificateInUse {
  /** The names of its line in pg_hosts.conf, as written; null where no line names it. */
  readonly host: string | null;
}

export interface CrlInUse {
  readonly file: string;
  readonly issuer: string;
  readonly issuerDn: string;
  readonly lastUpdate: Date;
  /** Null when the list does not say. */
  readonly nextUpdate: Date | null;
  /** Revoked serials, asked for in hex; their number is shown. */
  readonly revokedSerials: Pick<ReadonlySet<string>, 'has' | 'size'>;
}

/** Everything read from the ssl_* files, or for one line of pg_hosts.conf, whole (hosts.ts). */
export interface TlsMaterial {
  /** What new clients meet, for judging without a handshake of theirs (certificate-judge.ts). */
  readonly context: SecureContext;
  /** Options for the tls.Server that never listens (handshake/handshake-server.ts). */
  readonly options: import('node:tls').TlsOptions;
  /** ssl_ca_file, or the line's CA, is set: client certificates are asked for. */
  readonly requestsClientCertificate: boolean;
  /** The certificates of that file, roots and intermediates alike. */
  readonly authorities: readonly X509Certificate[];
  /** ssl_crl_file or ssl_crl_dir is set: every issuer needs a list. */
  readonly checksRevocation: boolean;
  readonly certificates: readonly CertificateInUse[];
  readonly crls: readonly CrlInUse[];
  /** A further list counts that our reader cannot read: whose it is and until when it is in force is not known. */
  readonly hasUndescribedList: boolean;
  /** The lists again, for saying which certificate is at fault; null where one of them needs interpretation. */
  readonly plainLists: readonly PlainList[] | null;
  /**
   * What was odd about the files when this was made of them, whatever the time: Ed25519 keys, blocks that are not read. A
   * reload may keep the material and find something else odd, so what is told is TlsPart's.
   */
  readonly fileWarnings: readonly Problem[];
  readonly minProtocolVersion: string;
  readonly maxProtocolVersion: string;
}

/** The client's certificate after a completed handshake. */
export type ClientCertificate =
  | { readonly state: 'absent' }
  | { readonly state: 'verified'; readonly identity: ClientIdentity }
  /** Presented and not verified: refused whatever the rules say (semantics §2.7). `facts` null = unreadable DER. */
  | {
      readonly state: 'unverified';
      readonly code: Code;
      /** OpenSSL's words (contract §7.10). */
      readonly reason: string;
      readonly facts: CertificateFacts | null;
      /** PostgreSQL's DETAIL, for the log: of the certificate at fault, where it is certain which one that is. */
      readonly detail: string;
    };

/** What the client offered in its ClientHello, for the log line of a handshake that failed. */
export interface ClientHelloFacts {
  readonly sni: string | null;
  readonly alpn: readonly string[];
  /** `TLSv1.3`, … or `0x7f1c` where unknown. */
  readonly versions: readonly string[];
  readonly groups: readonly string[];
}

/** The host that a client wants, as the gate has read it from the ClientHello. */
export type ServerName =
  | { readonly kind: 'named'; readonly name: ByteString }
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'unreadable' };

/** One completed TLS handshake. */
export interface TlsSession {
  /** Paused; nothing of its data has been read. */
  readonly socket: import('node:tls').TLSSocket;
  readonly certificate: ClientCertificate;
  /** What a verified client sent, for judging it again; null for every other. */
  readonly chain: PresentedChain | null;
  /** `TLSv1.3`, as pg_stat_ssl.version. */
  readonly version: string;
  /** OpenSSL's name, as pg_stat_ssl.cipher. */
  readonly cipher: string;
  /** Secret bits, as pg_stat_ssl.bits. */
  readonly bits: number;
  /** What was negotiated; null when the client offered none. */
  readonly alpn: string | null;
  /** By it the certificate was chosen, or would be chosen once ssl_sni is on. */
  readonly serverName: ServerName;
  /** Read from the ClientHello only when somebody asks. */
  readonly hello: () => ClientHelloFacts | null;
}
