// `explain --cert`: a PEM file as the client would present it, judged as the handshake would judge it.

import type { CertificateNames, CertificateFacts } from '../x509/types.ts';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { toText } from '../base/bytestring.ts';
import { CertificateJudge } from '../tls/judge/certificate-judge.ts';
import { PemError } from '../x509/pem.ts';
import { certificateFacts, withIdentity } from '../tls/handshake/client-certificate.ts';
import { readChain } from '../tls/material/pem-files.ts';
import type { TlsMaterial } from '../tls/types.ts';
import { chainOf, presentedCommonName } from '../tls/judge/presented-chain.ts';
import { CommandError } from './action.ts';

export interface ReadCertificate {
  /** Null where it cannot be read. */
  readonly facts: CertificateFacts | null;
  /** To show, verified or not. Null where there is none, or where it cannot be read. */
  readonly commonName: string | null;
  readonly outcome:
    | { readonly kind: 'verified'; readonly names: CertificateNames }
    /** Why it does not verify, in OpenSSL's words, or why its names cannot be read. */
    | { readonly kind: 'refused'; readonly reason: string }
    /** Why it could not be judged. */
    | { readonly kind: 'not-judged'; readonly reason: string };
}

/**
 * @param material what the client meets; null = no TLS
 * @returns null where its host has no CA: the gate then asks for no certificate and never sees the client's
 * @throws CommandError where the file holds no certificate
 */
export async function readCertificate(
  file: string,
  material: TlsMaterial | null,
): Promise<ReadCertificate | null> {
  const [leaf, ...intermediates] = await readChainFile(file);
  const facts = certificateFacts(leaf);
  if (!material?.requestsClientCertificate) return null;
  const commonName = presentedCommonName(leaf);
  const judgement = await new CertificateJudge(material).judge(chainOf([leaf, ...intermediates]));
  switch (judgement.kind) {
    case 'verified':
      return { facts, commonName, outcome: outcomeOf(new X509Certificate(leaf)) };
    case 'refused':
      return { facts, commonName, outcome: { kind: 'refused', reason: judgement.error.reason } };
    case 'not-judged':
      return { facts, commonName, outcome: judgement };
    default:
      return judgement satisfies never;
  }
}

function outcomeOf(verified: X509Certificate): ReadCertificate['outcome'] {
  const found = withIdentity(verified);
  return found.state === 'verified'
    ? { kind: 'verified', names: found.identity.names }
    : { kind: 'refused', reason: found.reason };
}

/** As a client reads the file that it presents; each certificate's DER. */
async function readChainFile(file: string): Promise<readonly [Buffer, ...Buffer[]]> {
  try {
    const [leaf, ...rest] = readChain(await readFile(file)).certificates;
    return [leaf.certificate.raw, ...rest.map(({ certificate }) => certificate.raw)];
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    throw new CommandError(
      error.message === 'no start line'
        ? `${file}: no certificate in it`
        : `${file}: not a certificate: ${error.message}`,
    );
  }
}

/** The names that a rule may read; null unless the certificate verifies. */
export function verifiedNames(certificate: ReadCertificate | null): CertificateNames | null {
  return certificate?.outcome.kind === 'verified' ? certificate.outcome.names : null;
}

/** For JSON. */
export function describeCertificate(certificate: ReadCertificate): Record<string, unknown> {
  const { facts } = certificate;
  return {
    ...describeNames(certificate),
    subject: facts?.subject ?? null,
    issuer: facts?.issuer ?? null,
    serial: facts?.serial ?? null,
    not_after: facts?.notAfter.toISOString() ?? null,
    fingerprint: facts?.fingerprint ?? null,
  };
}

function describeNames(certificate: ReadCertificate): Record<string, unknown> {
  const names = verifiedNames(certificate);
  if (names === null) return { cn: certificate.commonName };
  const { cn, dn, uri, dns, email } = names;
  return {
    cn: cn === null ? null : toText(cn),
    dn: dn === null ? null : toText(dn),
    uri: uri.map(toText),
    dns: dns.map(toText),
    email: email.map(toText),
  };
}

/** For a person: the certificate's facts and the result. */
export function certificateLines(certificate: ReadCertificate): string[] {
  const { facts, commonName, outcome } = certificate;
  const names = verifiedNames(certificate);
  const sans =
    names === null
      ? []
      : [
          ...names.uri.map((name) => `URI ${toText(name)}`),
          ...names.dns.map((name) => `DNS ${toText(name)}`),
          ...names.email.map((name) => `EMAIL ${toText(name)}`),
        ];
  return [
    facts === null
      ? 'certificate: cannot be read'
      : `certificate: CN ${commonName ?? '(none)'}, DN ${facts.subjectDn}, ` +
        `issuer ${facts.issuerDn}, serial ${facts.serial}, until ${facts.notAfter.toISOString()}`,
    ...sans.map((san) => `certificate: ${san}`),
    ...(outcome.kind === 'verified'
      ? [
          'certificate: verifies, as a handshake would find; not checked: that the client holds its private key',
        ]
      : []),
    ...(outcome.kind === 'not-judged'
      ? [`certificate: not judged, because there was no verdict on its chain: ${outcome.reason}`]
      : []),
  ];
}
