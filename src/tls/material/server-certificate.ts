// ssl_cert_file and ssl_key_file: the server's chain and its key, which must fit each other (semantics §2.2 to §2.5).

import type { CertificateSource } from '../settings.ts';
import { isUtf8 } from 'node:buffer';
import { createPrivateKey, type X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { SourceReader } from '../../base/sources.ts';
import { absenceHint, contentHint, fieldNames, keyHint } from './known-mistakes.ts';
import { readKeyFile } from './key-file.ts';
import { runPassphraseCommand } from './passphrase.ts';
import { encodePem, PemError, readablePem } from '../../x509/pem.ts';
import { chainWarnings, readChain } from './pem-files.ts';
import { errorWords, refusalAt, type Refuse } from './load-problem.ts';
import type { Problem } from '../../base/problems.ts';

/** What Node's TLS options take. */
export interface ServerCertificate {
  /** PEM, leaf first, each certificate re-encoded. */
  readonly chain: string;
  /** SECURITY: the private key, PEM, re-encoded; in no log line and no error. */
  readonly key: string;
  readonly passphrase?: string;
  readonly certificates: readonly X509Certificate[];
  /** Blocks of ssl_cert_file that are not used. */
  readonly warnings: readonly Problem[];
}

export interface TlsLoadOptions {
  /** Not at start: PostgreSQL then runs ssl_passphrase_command only with ssl_passphrase_command_supports_reload. */
  readonly reload: boolean;
  /** A dry run has those in force, and runs no command: what a command does beside printing nobody knows. */
  readonly passphrases?: readonly string[] | undefined;
  readonly reader: SourceReader;
}

/**
 * @param options.reload an encrypted key is then read only with ssl_passphrase_command_supports_reload
 * @throws LoadError with PostgreSQL's text for the first thing that is wrong, in PostgreSQL's order
 */
export async function loadServerCertificate(
  settings: CertificateSource,
  { reload, passphrases, reader }: TlsLoadOptions,
): Promise<ServerCertificate> {
  const { certificates, chain, warnings } = await loadChain(settings, reader);
  const { ssl_key_file: keyFile } = settings;
  const refuse = refusalAt(settings, 'ssl_key_file', keyFile);
  const block = keyBlock(await readKeyFile(keyFile, { reader, refuse }), keyFile, refuse);
  const known = passphrases?.find((each) => opens(block, bytesOf(each)));
  const asked = { reload, known, isDryRun: passphrases !== undefined };
  const { key, ...passphrase } = isEncrypted(block)
    ? withPassphrase(block, await askPassphrase(settings, asked))
    : { key: block };
  try {
    createSecureContext({ ca: [], cert: chain, key, ...passphrase });
  } catch (error) {
    throw refuse(
      `could not load private key file "${keyFile}": ${errorWords(error, 'unsupported')}`,
      keyHint({ key, ...passphrase }, certificates, fieldNames(settings)),
    );
  }
  // OpenSSL files a key of another type than the certificate's away for a certificate that never comes.
  if (certificates[0]?.checkPrivateKey(createPrivateKey({ key, ...passphrase })) !== true) {
    const hint = keyHint({ key, ...passphrase }, certificates, fieldNames(settings));
    throw refuse('check of private key failed: no certificate assigned', hint);
  }
  return { chain, key, ...passphrase, certificates, warnings };
}

async function loadChain(
  settings: CertificateSource,
  reader: SourceReader,
): Promise<Pick<ServerCertificate, 'chain' | 'certificates' | 'warnings'>> {
  const { ssl_cert_file: certFile } = settings;
  let content: Buffer | undefined;
  try {
    // Many keep the key in the same file.
    content = await reader.file(certFile, { isSecret: true });
    const { certificates, passedOver } = readChain(content);
    const chain = certificates.map(({ pem }) => pem).join('');
    createSecureContext({ ca: [], cert: chain });
    return {
      chain,
      certificates: certificates.map(({ certificate }) => certificate),
      warnings: chainWarnings(certFile, passedOver),
    };
  } catch (error) {
    const words = error instanceof PemError ? error.message : errorWords(error, 'no start line');
    const refuse = refusalAt(settings, 'ssl_cert_file', certFile);
    const hint = content === undefined ? absenceHint(words, certFile) : contentHint(content, 'certificate');
    throw refuse(`could not load server certificate file "${certFile}": ${words}`, hint);
  }
}

/** The file's first private key that OpenSSL can read, re-encoded; an older form keeps the header of its encryption. */
function keyBlock(content: Buffer, keyFile: string, refuse: Refuse): string {
  for (const { label, der, header } of readablePem(content)) {
    if (!label.endsWith('PRIVATE KEY')) continue;
    const key = encodePem(label, der, header);
    if (isEncrypted(key) || isKey(key)) return key;
  }
  // OpenSSL's word for a file in which none of its decoders finds a key.
  throw refuse(`could not load private key file "${keyFile}": unsupported`, contentHint(content, 'key'));
}

function isKey(key: string): boolean {
  try {
    createPrivateKey(key);
    return true;
  } catch {
    return false;
  }
}

/** Both forms of an encrypted key: PKCS #8, and OpenSSL's older one with headers. */
const ENCRYPTED = /^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: *4,ENCRYPTED/m;

function isEncrypted(key: string): boolean {
  return ENCRYPTED.test(key);
}

function opens(key: string, passphrase: Buffer): boolean {
  try {
    createPrivateKey({ key, passphrase });
    return true;
  } catch {
    return false;
  }
}

/** Marks a passphrase whose bytes are not UTF-8, in their text. */
const NOT_UTF8 = '\0';

/**
 * An encrypted key and its passphrase for Node, which takes the passphrase as text alone. Where the bytes are none, the key
 * is given opened, and the passphrase is kept beside it for a dry run.
 */
function withPassphrase(key: string, bytes: Buffer): { readonly key: string; readonly passphrase: string } {
  if (isUtf8(bytes)) return { key, passphrase: bytes.toString() };
  const passphrase = NOT_UTF8 + bytes.toString('latin1');
  if (!opens(key, bytes)) return { key, passphrase };
  const opened = createPrivateKey({ key, passphrase: bytes });
  return { key: opened.export({ type: 'pkcs8', format: 'pem' }), passphrase };
}

function bytesOf(passphrase: string): Buffer {
  return passphrase.startsWith(NOT_UTF8)
    ? Buffer.from(passphrase.slice(1), 'latin1')
    : Buffer.from(passphrase);
}

async function askPassphrase(
  settings: CertificateSource,
  asked: { readonly reload: boolean; readonly known: string | undefined; readonly isDryRun: boolean },
): Promise<Buffer> {
  const { reload, known, isDryRun } = asked;
  const { ssl_key_file: keyFile, ssl_passphrase_command: command } = settings;
  if (reload && (command === '' || !settings.ssl_passphrase_command_supports_reload)) {
    const refuse = refusalAt(settings, 'ssl_key_file', keyFile);
    const hint =
      'Write "on" into the sixth field of the line: only then a reload may run its passphrase command.';
    throw refuse(
      `private key file "${keyFile}" cannot be reloaded because it requires a passphrase`,
      settings.isHostLine === true && command !== '' ? { hint } : {},
    );
  }
  if (command === '') {
    const refuse = refusalAt(settings, 'ssl_key_file', keyFile);
    // PostgreSQL lets OpenSSL ask on the terminal; without one these are OpenSSL's words.
    throw refuse(`could not load private key file "${keyFile}": processing error`, {
      hint: `The key is encrypted: set ${fieldNames(settings).command} to a command that prints its passphrase.`,
    });
  }
  if (known !== undefined) return bytesOf(known);
  if (isDryRun) {
    const refuse = refusalAt(settings, 'ssl_passphrase_command');
    throw refuse(`private key file "${keyFile}" does not open with the passphrase in force`, {
      hint: `A dry run does not run ${fieldNames(settings).command}, so it cannot say more. A reload runs it.`,
    });
  }
  return runPassphraseCommand(command, { refuse: refusalAt(settings, 'ssl_passphrase_command') });
}
