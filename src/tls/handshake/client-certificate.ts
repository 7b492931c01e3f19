// The certificate that a client has shown in its handshake: verified, or why not, in OpenSSL's words and in PostgreSQL's
// DETAIL (semantics §2.9).

import type { CertificateFacts } from '../../x509/types.ts';
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { fromText } from '../../base/bytestring.ts';
import { GatehouseError } from '../../base/errors.ts';
import { decodeClientHello, offeredFields } from './client-hello.ts';
import { firstFault, type Fault, type FaultMaterial } from './first-fault.ts';
import { readCertificateFacts, verifiedIdentity } from '../../x509/identity.ts';
import type { ClientCertificate } from '../types.ts';
import { verdictOf, verifyError, wordsOf } from '../verify-errors.ts';

/** @param leaf the client's own certificate, as the socket gives it; undefined when it has shown none */
export function clientCertificate(
  socket: TLSSocket,
  leaf: X509Certificate | undefined,
  material: FaultMaterial,
): ClientCertificate {
  // Asked first: without a certificate authorizationError names one of OpenSSL's errors all the same.
  if (leaf === undefined) return { state: 'absent' };
  // SECURITY: this is the one place that tells a verified certificate from a presented one.
  if (!socket.authorized) return unverified(socket, leaf, material);
  return withIdentity(leaf);
}

/** A certificate that OpenSSL has verified: its names, or why they cannot be read, which refuses it all the same. */
export function withIdentity(leaf: X509Certificate): Exclude<ClientCertificate, { state: 'absent' }> {
  try {
    return { state: 'verified', identity: verifiedIdentity(leaf.raw) };
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
    const { code } = error;
    const isNul = code === 'client-cert-nul-in-name';
    const reason = isNul ? 'common name contains embedded null' : 'malformed certificate';
    const facts = certificateFacts(leaf.raw);
    // What the client is told does not say which bytes we cannot read; the log does.
    const detail = isNul ? detailOf({ depth: 0, reason, certificate: leaf }) : error.message;
    return { state: 'unverified', code, reason, facts, detail };
  }
}

/** A certificate that OpenSSL has not verified, while its handshake goes on or after it. */
function unverified(
  socket: TLSSocket,
  leaf: X509Certificate,
  material: FaultMaterial,
): Extract<ClientCertificate, { state: 'unverified' }> {
  const verdict = verdictOf(socket) ?? { name: String(socket.authorizationError), text: '' };
  const words = wordsOf(verdict.text === '' ? { ...verdict, text: verifyError(null).reason } : verdict);
  const fault = firstFault(leaf, material, words.reason);
  const detail =
    fault === null ? `Client certificate verification failed: ${words.reason}.` : detailOf(fault);
  return { state: 'unverified', ...words, facts: certificateFacts(leaf.raw), detail };
}

/**
 * A handshake that breaks because OpenSSL could not verify the client's certificate at all: what it met on the way, an
 * RSA signature without padding for one, stays in its queue of errors, and Node takes that for the end of the handshake.
 *
 * @returns null where the handshake broke for another reason
 */
export function certificateFailure(
  error: Error,
  socket: TLSSocket,
  opening: Uint8Array,
  material: FaultMaterial,
): GatehouseError | null {
  const library: unknown = Reflect.get(error, 'library');
  if (typeof library !== 'string' || library === TLS_LIBRARY) return null;
  try {
    const leaf = socket.getPeerX509Certificate();
    if (leaf === undefined || verdictOf(socket) === null) return null;
    const { code, reason, facts, detail } = unverified(socket, leaf, material);
    return new GatehouseError(code, {
      message: 'could not accept SSL connection: certificate verify failed',
      detail: fromText(detail),
      fields: {
        reason,
        ...(facts === null ? {} : { certificate: shown(facts) }),
        ...offeredFields(decodeClientHello(opening)),
      },
      cause: error,
    });
  } catch {
    // The socket is gone already, and with it what it knew: then the handshake's own error is all there is.
    return null;
  }
}

/** Where the errors of TLS itself come from. */
const TLS_LIBRARY = 'SSL routines';

function shown({ subject, issuer, serial, fingerprint }: CertificateFacts): Record<string, string> {
  return { subject, issuer, serial, fingerprint };
}

/** PostgreSQL's DETAIL for the certificate at fault (be-secure-openssl.c, verify_cb). */
function detailOf({ depth, reason, certificate }: Fault): string {
  const first = `Client certificate verification failed at depth ${depth}: ${reason}.`;
  const facts = certificateFacts(certificate.raw);
  if (facts === null) return first;
  const { subject, serial, issuer } = facts;
  return `${first}\nFailed certificate data (unverified): subject "${subject}", serial number ${serial}, issuer "${issuer}".`;
}

/** What is shown of a certificate; null where it cannot be read. */
export function certificateFacts(der: Uint8Array): CertificateFacts | null {
  try {
    return readCertificateFacts(der);
  } catch (error) {
    if (error instanceof GatehouseError) return null;
    throw error;
  }
}
