// Certificates and revocation lists of the chains that no CA should issue: a name is a common name, and keys are made
// once for the process, for what a chain is made of matters, not its keys.

import { generateKeyPairSync } from 'node:crypto';
import { signedCertificate, signedList, type CertificateFields, type Keys, type ListFields } from './x509.ts';

export interface OddCertificate extends Omit<CertificateFields, 'subject' | 'issuer' | 'publicKey'> {
  readonly subject: string;
  readonly issuer: string;
  readonly keys: Keys;
  readonly signer: Keys;
}

export interface OddList extends Omit<ListFields, 'version' | 'issuer'> {
  readonly issuer: string;
  readonly signer: Keys;
}

const made = new Map<string, Keys>();

/** The same key for the same label, in this process. Labels that begin with `rsa1024` are RSA keys of 1024 bits. */
export function keysFor(label: string): Keys {
  let keys = made.get(label);
  if (keys === undefined) {
    keys = label.startsWith('rsa1024')
      ? generateKeyPairSync('rsa', { modulusLength: 1024 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    made.set(label, keys);
  }
  return keys;
}

export function oddCertificate({ subject, issuer, keys, signer, ...fields }: OddCertificate): Buffer {
  const names = { subject: [{ CN: subject }], issuer: [{ CN: issuer }] };
  return signedCertificate({ ...fields, ...names, publicKey: keys.publicKey }, signer.privateKey);
}

export function oddList({ issuer, signer, ...fields }: OddList): Buffer {
  return signedList({ ...fields, version: 2, issuer: [{ CN: issuer }] }, signer.privateKey);
}
