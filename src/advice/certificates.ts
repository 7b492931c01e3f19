// What is right in form about the TLS files and wrong in fact: a CA file that is not a CA, a server certificate that
// clients refuse.

import { X509Certificate } from 'node:crypto';
import type { Problem } from '../base/problems.ts';
import type { TlsHost } from '../tls/hosts.ts';

/** Advice on what was loaded for the clients of one host, or for all. */
export function adviseOnCertificates(host: TlsHost): readonly Problem[] {
  const { material, certFile } = host;
  const chain = chainOf(material.options.cert);
  return [
    ...chain.slice(0, 1).flatMap((leaf) => serverWarnings(leaf, chain, certFile)),
    ...material.authorities.flatMap((authority) => authorityWarnings(authority, host)),
  ];
}

function chainOf(pem: unknown): X509Certificate[] {
  if (typeof pem !== 'string') return [];
  const blocks = pem.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----\n?/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

function serverWarnings(leaf: X509Certificate, chain: readonly X509Certificate[], file: string): Problem[] {
  const at = (message: string, hint: string): Problem => ({ file, line: null, message, hint });
  const warnings: Problem[] = [];
  if (leaf.keyUsage !== undefined && !leaf.keyUsage.includes(SERVER_AUTH)) {
    warnings.push(
      at(
        'clients that verify refuse the server certificate: its extendedKeyUsage lacks serverAuth',
        'Issue it anew with extendedKeyUsage=serverAuth.',
      ),
    );
  }
  if (!/(?:^|, )(?:DNS|IP Address):/.test(leaf.subjectAltName ?? '')) {
    warnings.push(
      at(
        'the server certificate names no host in subjectAltName: libpq looks at its common name, other clients refuse it',
        'Issue it anew with subjectAltName=DNS:NAME, the name that clients connect to.',
      ),
    );
  }
  const issuer = issuerWarning(leaf, chain);
  if (issuer !== null) warnings.push(at(...issuer));
  const weak = weakness(leaf);
  if (weak !== null) {
    warnings.push(
      at(
        `clients refuse the server certificate as too weak: ${weak}`,
        'Use ECDSA, or RSA of 2048 bits, with SHA-256.',
      ),
    );
  }
  return warnings;
}

/** What a client meets that looks for the issuer. */
function issuerWarning(leaf: X509Certificate, chain: readonly X509Certificate[]): [string, string] | null {
  const namesItself = leaf.subject === leaf.issuer;
  if (namesItself && !leaf.verify(leaf.publicKey)) {
    return [
      'clients that verify refuse the server certificate: it has the same name as its issuer, so it is taken for self-signed',
      'Give the authority and the server certificate different subjects.',
    ];
  }
  const [, next] = chain;
  if (next !== undefined && !namesItself && !leaf.checkIssued(next)) {
    return [
      'the second certificate of the file did not issue the first, so clients may find no way to their root',
      'Put the server certificate first, then the one that issued it, and so on.',
    ];
  }
  return null;
}

const MIN_RSA_BITS = 2048;

function weakness(leaf: X509Certificate): string | null {
  const { asymmetricKeyType, asymmetricKeyDetails } = leaf.publicKey;
  const bits = asymmetricKeyDetails?.modulusLength;
  if (asymmetricKeyType === 'rsa' && bits !== undefined && bits < MIN_RSA_BITS)
    return `its key has ${bits} bits`;
  const algorithm = leaf.signatureAlgorithm ?? '';
  return /md5|sha-?1(?!\d)/i.test(algorithm) ? `it is signed with ${algorithm}` : null;
}

function authorityWarnings(authority: X509Certificate, { caFile: file, label }: TlsHost): Problem[] {
  if (authority.ca || isOldRoot(authority)) return [];
  return [
    {
      file,
      line: null,
      message: `certificate "${authority.subject.replaceAll('\n', ', ')}" of ${label === null ? '"ssl_ca_file"' : `host ${label}`} is not a certificate authority, so it vouches for nobody`,
      hint: 'Name the certificate of the authority that issues the client certificates, not a certificate that it has issued.',
    },
  ];
}

/** A self-signed certificate without extensions, which OpenSSL takes for an authority: its body begins with the serial. */
function isOldRoot(authority: X509Certificate): boolean {
  if (authority.subject !== authority.issuer) return false;
  const { raw } = authority;
  const bodyAt = headerLength(raw, 0);
  return raw[bodyAt + headerLength(raw, bodyAt)] === 0x02;
}

/** The length of an element's tag and length octets. */
function headerLength(der: Buffer, at: number): number {
  const length = der[at + 1] ?? 0;
  return length < 0x80 ? 2 : 2 + (length & 0x7f);
}
