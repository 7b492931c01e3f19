// How to mend the known mistakes with certificates and keys (contract §17). PostgreSQL's message stays as it is. No hint
// holds a byte of what was read.

import { createPrivateKey, type X509Certificate } from 'node:crypto';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import type { CertificateSource } from '../settings.ts';

/** An extra of a problem; empty where the mistake is not a known one. */
export interface Hint {
  readonly hint?: string;
}

const DER_SEQUENCE = 0x30;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * Why a file holds no block that OpenSSL can use.
 *
 * @param wanted what the setting names
 */
export function contentHint(content: Uint8Array, wanted: 'certificate' | 'key'): Hint {
  const text = Buffer.from(content).toString('latin1');
  const holdsKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text);
  const holdsCertificate = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/.test(text);
  if (content.length === 0) return { hint: 'The file is empty.' };
  if (BYTE_ORDER_MARK.every((byte, index) => content[index] === byte)) {
    return { hint: 'The file begins with a byte order mark (U+FEFF): save it without one.' };
  }
  if (content[0] === DER_SEQUENCE && !text.includes('-----BEGIN ')) {
    const program = wanted === 'key' ? 'pkey' : 'x509';
    return {
      hint: `The file is DER, and must be PEM: openssl ${program} -inform DER -in FILE -out FILE.pem`,
    };
  }
  if (wanted === 'certificate' && holdsKey && !holdsCertificate) {
    return {
      hint: 'The file holds a private key and no certificate: certificate and key are perhaps swapped.',
    };
  }
  if (wanted === 'key' && holdsCertificate && !holdsKey) {
    return {
      hint: 'The file holds a certificate and no private key: certificate and key are perhaps swapped.',
    };
  }
  return {};
}

/** What hints call the places where certificate and passphrase command are written. */
export interface FieldNames {
  readonly certificate: string;
  readonly command: string;
}

const settingNames: FieldNames = { certificate: '"ssl_cert_file"', command: '"ssl_passphrase_command"' };
const lineNames: FieldNames = {
  certificate: "the line's SSL_certificate",
  command: "the line's SSL_passphrase_cmd",
};

/** The settings, or the fields of a line in pg_hosts.conf. */
export function fieldNames({ isHostLine }: Pick<CertificateSource, 'isHostLine'>): FieldNames {
  return isHostLine === true ? lineNames : settingNames;
}

/** How to get the server's certificate where there is none yet. */
export function absenceHint(words: string, path: string): Hint {
  if (words !== 'No such file or directory') return {};
  const folder = dirname(path);
  return {
    hint: `For a first try: pg-gatehouse pki init --dir ${folder} && pg-gatehouse pki server --dir ${folder}`,
  };
}

/** Why a key that can be read does not do. */
export function keyHint(
  key: { readonly key: string; readonly passphrase?: string },
  certificates: readonly X509Certificate[],
  names: FieldNames,
): Hint {
  let privateKey;
  try {
    privateKey = createPrivateKey(key);
  } catch {
    return key.passphrase === undefined
      ? {}
      : { hint: `The key does not open with the passphrase that ${names.command} prints.` };
  }
  const place = certificates.findIndex((certificate) => certificate.checkPrivateKey(privateKey));
  if (place > 0) {
    return {
      hint: `The key belongs to certificate ${place + 1} of ${names.certificate}: put the server certificate first, then its issuers.`,
    };
  }
  return place === 0 ? {} : { hint: `The key belongs to none of the certificates in ${names.certificate}.` };
}

/**
 * Who would have to be allowed to read a file, and what to type.
 *
 * @param verbs chown alone where nothing is known of the file
 */
export function userHint(
  path: string,
  verbs: { chown: boolean; chmod: boolean } = { chown: true, chmod: false },
): Hint {
  const uid = process.geteuid?.() ?? -1;
  const name = userName();
  const who = name === null ? `uid ${uid}` : `user "${name}" (uid ${uid})`;
  const commands = [
    ...(verbs.chown ? [`chown ${name ?? uid} "${path}"`] : []),
    ...(verbs.chmod ? [`chmod 0600 "${path}"`] : []),
  ];
  return {
    hint: `The gate runs as ${who}: let the file belong to it, with mode 0600 (${commands.join(' && ')}).`,
  };
}

/** Null in a container whose uid has no name. */
function userName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}
