// Why OpenSSL does not accept a client certificate: its words for the error that Node reports, and our code for it
// (contract §7.10).

import type { TLSSocket } from 'node:tls';
import type { Code } from '../base/codes.ts';

export interface VerifyError {
  readonly code: Code;
  /** X509_verify_cert_error_string's text. */
  readonly reason: string;
}

/** Node's name of an X509_V_ERR → what it means. */
const verifyErrors: ReadonlyMap<string, VerifyError> = new Map([
  error('UNABLE_TO_GET_ISSUER_CERT', 'client-cert-untrusted', 'unable to get issuer certificate'),
  error(
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'client-cert-untrusted',
    'unable to get local issuer certificate',
  ),
  error('UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'client-cert-untrusted', 'unable to verify the first certificate'),
  error('CERT_UNTRUSTED', 'client-cert-untrusted', 'certificate not trusted'),
  error('CERT_REJECTED', 'client-cert-untrusted', 'certificate rejected'),
  error('DEPTH_ZERO_SELF_SIGNED_CERT', 'client-cert-self-signed', 'self-signed certificate'),
  error(
    'SELF_SIGNED_CERT_IN_CHAIN',
    'client-cert-self-signed',
    'self-signed certificate in certificate chain',
  ),
  error('CERT_HAS_EXPIRED', 'client-cert-expired', 'certificate has expired'),
  error('CERT_NOT_YET_VALID', 'client-cert-not-yet-valid', 'certificate is not yet valid'),
  error('CERT_REVOKED', 'client-cert-revoked', 'certificate revoked'),
  error('INVALID_PURPOSE', 'client-cert-wrong-purpose', 'unsuitable certificate purpose'),
  error('UNABLE_TO_GET_CRL', 'client-cert-crl-unavailable', 'unable to get certificate CRL'),
  error('CRL_HAS_EXPIRED', 'client-cert-crl-expired', 'CRL has expired'),
  error('CRL_NOT_YET_VALID', 'client-cert-crl-unavailable', 'CRL is not yet valid'),
  error('CRL_SIGNATURE_FAILURE', 'client-cert-crl-unavailable', 'CRL signature failure'),
  error(
    'UNABLE_TO_DECRYPT_CRL_SIGNATURE',
    'client-cert-crl-unavailable',
    "unable to decrypt CRL's signature",
  ),
  error(
    'ERROR_IN_CRL_LAST_UPDATE_FIELD',
    'client-cert-crl-unavailable',
    "format error in CRL's lastUpdate field",
  ),
  error(
    'ERROR_IN_CRL_NEXT_UPDATE_FIELD',
    'client-cert-crl-unavailable',
    "format error in CRL's nextUpdate field",
  ),
  error('CERT_SIGNATURE_FAILURE', 'client-cert-invalid', 'certificate signature failure'),
  error('CERT_CHAIN_TOO_LONG', 'client-cert-invalid', 'certificate chain too long'),
  error('INVALID_CA', 'client-cert-invalid', 'invalid CA certificate'),
  error('PATH_LENGTH_EXCEEDED', 'client-cert-invalid', 'path length constraint exceeded'),
  error(
    'ERROR_IN_CERT_NOT_BEFORE_FIELD',
    'client-cert-invalid',
    "format error in certificate's notBefore field",
  ),
  error(
    'ERROR_IN_CERT_NOT_AFTER_FIELD',
    'client-cert-invalid',
    "format error in certificate's notAfter field",
  ),
  error(
    'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
    'client-cert-invalid',
    "unable to decrypt certificate's signature",
  ),
  error('UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY', 'client-cert-invalid', 'unable to decode issuer public key'),
  error('OUT_OF_MEM', 'client-cert-invalid', 'out of memory'),
]);

/** Node has no names for OpenSSL's rarer errors, and calls them all this. */
const unspecified: VerifyError = {
  code: 'client-cert-invalid',
  reason: 'unspecified certificate verification error',
};

/** @param name `authorizationError` of a server's TLSSocket: a name, whatever Node's types say */
export function verifyError(name: unknown): VerifyError {
  return (typeof name === 'string' ? verifyErrors.get(name) : undefined) ?? unspecified;
}

/** OpenSSL's verdict as Node has it: its name for the error, and OpenSSL's own text. */
export interface Verdict {
  readonly name: string;
  readonly text: string;
}

/**
 * What OpenSSL found last of the certificate that a server's socket was shown; null where it verifies. Known as soon as
 * the certificate has arrived. Throws where this Node does not tell: only `tls.Server` makes `authorizationError` of
 * it, without the text, and only after a handshake.
 */
export function verdictOf(socket: TLSSocket): Verdict | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) throw new Error('no handle');
  const tell: unknown = Reflect.get(handle, 'verifyError');
  if (typeof tell !== 'function') throw new Error('no verifyError');
  const found: unknown = Reflect.apply(tell, handle, []);
  if (found === null || found === undefined) return null;
  if (!(found instanceof Error)) throw new Error('verifyError gave no error');
  return { name: String(Reflect.get(found, 'code')), text: found.message };
}

/** OpenSSL's errors that Node has no name for, where they are about a list. */
const LIST_ERROR = /\bCRL\b/;

/** Our code for a verdict, and OpenSSL's text also where Node has no name for the error (contract §7.28). */
export function wordsOf({ name, text }: Verdict): VerifyError {
  if (name !== 'UNSPECIFIED') return verifyError(name);
  return {
    code: LIST_ERROR.test(text) ? 'client-cert-crl-unavailable' : 'client-cert-invalid',
    reason: text,
  };
}

function error(name: string, code: Code, reason: string): [string, VerifyError] {
  return [name, { code, reason }];
}
