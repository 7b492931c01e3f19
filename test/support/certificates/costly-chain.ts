// A chain of certificates that is made to be slow to verify: RSA-3072 keys whose exponents have 3,072 bits too. Nobody
// can sign with such keys, and nobody needs to: to find that a signature is wrong costs as much as to find it right.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { bitString, boolean, explicit, integer, octetString, oid, sequence, time } from './der.ts';
import { name } from './names.ts';
import { pem } from './x509.ts';

const KEY_BYTES = 384;
const SHA256_WITH_RSA = sequence(oid('1.2.840.113549.1.1.11'), Buffer.from([0x05, 0x00]));
const RSA = sequence(oid('1.2.840.113549.1.1.1'), Buffer.from([0x05, 0x00]));

export interface CostlyChain {
  /** PEM: a leaf with a key that works, then the others, the last of them self-signed. */
  readonly cert: string;
  readonly key: string;
}

/** @param bytes the size of the chain in DER, about */
export function costlyChain(bytes: number): CostlyChain {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificates = [certificate('0', '1', publicKey.export({ type: 'spki', format: 'der' }))];
  let size = certificates[0]!.length;
  for (let at = 1; size < bytes; at++) {
    const isLast = size + 2 * certificates.at(-1)!.length > bytes;
    const made = certificate(String(at), String(isLast ? at : at + 1), costlyKey());
    certificates.push(made);
    size += made.length;
  }
  return {
    cert: certificates.map((each) => pem('CERTIFICATE', each)).join(''),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

function costlyKey(): Buffer {
  const modulus = randomBytes(KEY_BYTES);
  modulus[0]! |= 0xf0;
  modulus[KEY_BYTES - 1]! |= 1;
  const exponent = randomBytes(KEY_BYTES);
  exponent[0] = 0xe0 | (exponent[0]! & 0x0f);
  exponent[KEY_BYTES - 1]! |= 1;
  const key = sequence(integer(number(modulus)), integer(number(exponent)));
  return sequence(RSA, bitString(key));
}

function certificate(subject: string, issuer: string, key: Uint8Array): Buffer {
  const extensions =
    subject === '0'
      ? []
      : [
          explicit(
            3,
            sequence(sequence(oid('2.5.29.19'), boolean(true), octetString(sequence(boolean(true))))),
          ),
        ];
  const signed = sequence(
    explicit(0, integer(2n)),
    integer(BigInt(Number(subject) + 1)),
    SHA256_WITH_RSA,
    name([{ CN: `costly ${issuer}` }]),
    sequence(time(new Date(Date.now() - 86_400_000)), time(new Date(Date.now() + 86_400_000))),
    name([{ CN: `costly ${subject}` }]),
    key,
    ...extensions,
  );
  const signature = randomBytes(KEY_BYTES);
  signature[0] = 0x10;
  return sequence(signed, SHA256_WITH_RSA, bitString(signature));
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}
