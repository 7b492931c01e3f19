// A certificate as facts: what logs, lists and rules know of it.

import type { ByteString } from '../base/bytestring.ts';
import type { verified } from './identity.ts';

/** The names that a verified certificate holds; made by x509/identity.ts and nowhere else. */
export interface CertificateNames {
  /** First commonName, raw bytes (semantics §2.11); null when there is none. */
  readonly cn: ByteString | null;
  /** RFC 2253 (semantics §2.12); null when the subject is empty. */
  readonly dn: ByteString | null;
  readonly uri: readonly ByteString[];
  readonly dns: readonly ByteString[];
  readonly email: readonly ByteString[];
}

/** A certificate as logs, /certificates and metrics show it. */
export interface CertificateFacts {
  /** PostgreSQL's log form: `/CN=x/O=y`, cut to its last 71 bytes, printable ASCII (semantics §2.9). */
  readonly subject: string;
  readonly issuer: string;
  /** RFC 2253, as text. */
  readonly subjectDn: string;
  readonly issuerDn: string;
  /** Decimal, as pg_stat_ssl.client_serial. */
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SHA-256 over the DER, lower-case hex pairs with colons. */
  readonly fingerprint: string;
}

/** What is shown of a client's certificate. */
export interface ClientFacts extends CertificateFacts {
  /** pg_stat_ssl's form: `/CN=x/O=y`, whole, as text. */
  readonly subjectName: string;
  readonly issuerName: string;
}

/** A client certificate that was verified; only identity.ts makes one. */
export interface ClientIdentity {
  readonly [verified]: true;
  readonly names: CertificateNames;
  readonly facts: ClientFacts;
}
