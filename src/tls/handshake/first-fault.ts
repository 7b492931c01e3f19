// Which certificate of a chain OpenSSL met the first error at. Node tells only the last error and no depth; PostgreSQL
// stops at the first and logs it with its depth. This is worked out where it is certain, and never decides anything.
//
// OpenSSL's order (x509_vfy.c): it builds the chain; looks at each certificate's extensions from the client's own up;
// at each one's revocation list, the same way; and at signatures and times, from the root down.

import type { X509Certificate } from 'node:crypto';
import { NotPlain, readPlainFacts, type PlainFacts } from '../../x509/plain-certificate.ts';
import type { TlsMaterial } from '../types.ts';

export interface Fault {
  /** 0 is the client's own certificate. */
  readonly depth: number;
  /** OpenSSL's words for its first error. */
  readonly reason: string;
  readonly certificate: X509Certificate;
}

/** What client certificates are judged by. */
export type FaultMaterial = Pick<TlsMaterial, 'authorities' | 'checksRevocation' | 'plainLists' | 'options'>;

const SELF_SIGNED = 'self-signed certificate';
const SELF_SIGNED_IN_CHAIN = 'self-signed certificate in certificate chain';
const NO_ISSUER = 'unable to get issuer certificate';
const NO_LOCAL_ISSUER = 'unable to get local issuer certificate';
const ENDS_OF_CHAINS: ReadonlySet<string> = new Set([
  SELF_SIGNED,
  SELF_SIGNED_IN_CHAIN,
  NO_ISSUER,
  NO_LOCAL_ISSUER,
]);

/** Longer chains are not worked out: each step asks every certificate whether it is the issuer. */
const MAX_DEPTH = 8;
const MAX_CANDIDATES = 64;

/** A security level from which keys and signatures count as weak that are usual otherwise. */
const HIGH_SECURITY_LEVEL = /@SECLEVEL=[3-9]/;

/**
 * @param leaf with `issuerCertificate` for each certificate that the client sent after it
 * @param last OpenSSL's words for its last error
 * @returns null where it is not certain
 */
export function firstFault(leaf: X509Certificate, material: FaultMaterial, last: string): Fault | null {
  try {
    if (last === SELF_SIGNED) return { depth: 0, reason: last, certificate: leaf };
    const chain = buildChain(leaf, material.authorities);
    if (chain === null) return null;
    // OpenSSL says one thing of how a chain ends. Where that is its last word, it must be ours.
    if (ENDS_OF_CHAINS.has(last) && last !== chain.error) return null;
    if (chain.error !== null) return faultAt(chain.certificates, chain.certificates.length - 1, chain.error);
    if (HIGH_SECURITY_LEVEL.test(material.options.ciphers ?? '')) return null;
    const errors = errorsOf(chain.certificates.map(readPlainFacts), material);
    const [first] = errors;
    // Only when the end of what is expected is what OpenSSL reports is the beginning believed.
    if (first === undefined || errors.at(-1)?.reason !== last) return null;
    return faultAt(chain.certificates, first.depth, first.reason);
  } catch {
    // NotPlain, bytes that are not strict DER, a key that Node cannot read: then nothing is certain.
    return null;
  }
}

function faultAt(certificates: readonly X509Certificate[], depth: number, reason: string): Fault | null {
  const certificate = certificates[depth];
  return certificate === undefined ? null : { depth, reason, certificate };
}

interface Chain {
  readonly certificates: readonly X509Certificate[];
  /** What OpenSSL says of its last certificate where the chain leads to no root of ssl_ca_file. */
  readonly error: string | null;
}

/** The chain, where at each step only one certificate can be the issuer; null otherwise. */
function buildChain(leaf: X509Certificate, authorities: readonly X509Certificate[]): Chain | null {
  const sent = sentCertificates(leaf);
  if (sent.length + authorities.length > MAX_CANDIDATES) return null;
  const certificates = [leaf];
  for (let top = leaf; !top.checkIssued(top);) {
    const issuers = distinct([...authorities, ...sent]).filter((candidate) => top.checkIssued(candidate));
    const [issuer, other] = issuers;
    if (other !== undefined || certificates.length === MAX_DEPTH) return null;
    if (issuer === undefined) {
      // Self-signed for OpenSSL, but not by the key that its own usage allows.
      if (top.subject === top.issuer) return null;
      return { certificates, error: incomplete(certificates, authorities) };
    }
    certificates.push(issuer);
    top = issuer;
  }
  const root = certificates.at(-1) ?? leaf;
  if (isAmong(authorities, root)) return { certificates, error: null };
  // Another root of this name may be meant.
  if (authorities.some((authority) => authority.subject === root.subject)) return null;
  return { certificates, error: certificates.length === 1 ? SELF_SIGNED : SELF_SIGNED_IN_CHAIN };
}

function incomplete(
  certificates: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): string {
  const known = certificates.map((certificate) => isAmong(authorities, certificate));
  if (known.indexOf(true) === certificates.length - 1 && certificates.length > 1) return NO_ISSUER;
  if (known.includes(true)) throw new NotPlain('a CA of ssl_ca_file in the middle');
  return NO_LOCAL_ISSUER;
}

function sentCertificates(leaf: X509Certificate): X509Certificate[] {
  const sent: X509Certificate[] = [];
  for (let next = leaf.issuerCertificate; next !== undefined; next = next.issuerCertificate) {
    sent.push(next);
    if (sent.length > MAX_CANDIDATES) break;
  }
  return sent;
}

function distinct(certificates: readonly X509Certificate[]): X509Certificate[] {
  return [...new Map(certificates.map((certificate) => [certificate.fingerprint256, certificate])).values()];
}

function isAmong(authorities: readonly X509Certificate[], certificate: X509Certificate): boolean {
  return authorities.some(({ fingerprint256 }) => fingerprint256 === certificate.fingerprint256);
}

interface ExpectedError {
  readonly depth: number;
  readonly reason: string;
}

/** Everything that OpenSSL will say of a chain that leads to a root of ssl_ca_file, in its order. */
function errorsOf(links: readonly PlainFacts[], material: FaultMaterial): ExpectedError[] {
  const now = new Date();
  const numbered = [...links.entries()];
  let pathLength = 0;
  const ofExtensions = numbered.flatMap(([depth, link]) => {
    const reasons = extensionErrors(link, depth, pathLength);
    if (depth > 0 && !link.isSelfIssued) pathLength += 1;
    return reasons.map((reason) => ({ depth, reason }));
  });
  const ofLists = numbered.flatMap(([depth, link]) =>
    listErrors(link, links[depth + 1] ?? link, material, now).map((reason) => ({ depth, reason })),
  );
  const ofSignatures = numbered
    .toReversed()
    .flatMap(([depth, link]) =>
      signatureErrors(link, links[depth + 1], now).map((reason) => ({ depth, reason })),
    );
  return [...ofExtensions, ...ofLists, ...ofSignatures];
}

function extensionErrors(link: PlainFacts, depth: number, pathLength: number): string[] {
  const isWrongCa = depth > 0 && !link.isCa;
  return [
    ...(link.hasUnknownCritical ? ['unhandled critical extension'] : []),
    ...(isWrongCa ? ['invalid CA certificate'] : []),
    ...(isWrongCa || !link.fitsClients ? ['unsuitable certificate purpose'] : []),
    ...(depth > 0 && pathLength > (link.pathLength ?? pathLength) ? ['path length constraint exceeded'] : []),
  ];
}

function signatureErrors(link: PlainFacts, issuer: PlainFacts | undefined, now: Date): string[] {
  const isForged = issuer !== undefined && !link.certificate.verify(issuer.certificate.publicKey);
  return [
    ...(isForged ? ['certificate signature failure'] : []),
    ...(link.notBefore > now ? ['certificate is not yet valid'] : []),
    ...(link.notAfter < now ? ['certificate has expired'] : []),
  ];
}

function listErrors(
  link: PlainFacts,
  issuer: PlainFacts,
  { checksRevocation, plainLists }: FaultMaterial,
  now: Date,
): string[] {
  if (!checksRevocation) return [];
  if (plainLists === null) throw new NotPlain('a list that needs interpretation');
  const [list, other] = plainLists.filter((each) => each.issuer.equals(link.issuerName));
  if (list === undefined) return ['unable to get certificate CRL'];
  const isCertain = other === undefined && issuer.signsLists;
  if (!isCertain || !list.verifiesWith(issuer.certificate.publicKey)) throw new NotPlain('an unusual list');
  const isEarly = list.lastUpdate > now;
  const isOver = list.nextUpdate !== null && list.nextUpdate < now;
  return [
    ...(isEarly ? ['CRL is not yet valid'] : []),
    ...(isOver ? ['CRL has expired'] : []),
    ...(list.revoked.has(link.certificate.serialNumber) ? ['certificate revoked'] : []),
  ];
}
