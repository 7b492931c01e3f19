// The certificates that a client has presented, kept for judging its session again. They are copied when the handshake
// is over: a socket that is about to close may no longer give them.

import { hash, type X509Certificate } from 'node:crypto';
import { toText } from '../../base/bytestring.ts';
import { DerError, DerReader, tags } from '../../x509/der.ts';
import { commonName, readName } from '../../x509/name.ts';

/** Context tag of TBSCertificate (RFC 5280 §4.1). */
const VERSION = 0xa0;

export interface PresentedChain {
  /** DER, as the client sent them: its own first. */
  readonly certificates: readonly [Buffer, ...Buffer[]];
  /** SHA-256 over all of them, hex: two chains with the same one are the same chain. */
  readonly fingerprint: string;
}

/** Chains kept for sharing. A client comes again and again with the same one; its sessions then hold one copy. */
const MAX_REMEMBERED = 256;
const remembered = new Map<string, PresentedChain>();

/** @param leaf as the client's socket gives it, with `issuerCertificate` for each that was sent after it */
export function presentedChain(leaf: X509Certificate): PresentedChain {
  const intermediates: Buffer[] = [];
  for (let next = leaf.issuerCertificate; next !== undefined; next = next.issuerCertificate) {
    intermediates.push(next.raw);
  }
  return chainOf([leaf.raw, ...intermediates]);
}

/** @param certificates DER, the client's own first */
export function chainOf(certificates: readonly [Buffer, ...Buffer[]]): PresentedChain {
  const fingerprint = hash('sha256', Buffer.concat(certificates), 'hex');
  const chain = remembered.get(fingerprint) ?? { certificates, fingerprint };
  // Taken out and put in again, it is the latest; a Map's first is the one that was not asked for the longest.
  remembered.delete(fingerprint);
  remembered.set(fingerprint, chain);
  if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value ?? '');
  return chain;
}

/**
 * The common name in a certificate that nobody need have verified, as text for a person to read and nothing else;
 * null where there is none or it cannot be read.
 */
export function presentedCommonName(der: Uint8Array): string | null {
  try {
    const name = commonName(readName(new DerReader(subjectOf(der))));
    return name === null ? null : toText(name);
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

/** The subject's Name of a certificate, DER. Throws DerError. */
export function subjectOf(der: Uint8Array): Uint8Array {
  const body = new DerReader(der).enter(tags.sequence).enter(tags.sequence);
  if (body.nextIs(VERSION)) body.read();
  body.read(tags.integer);
  body.read(tags.sequence); // signature
  body.read(tags.sequence); // issuer
  body.read(tags.sequence); // validity
  return body.encodingOf(body.read(tags.sequence));
}
