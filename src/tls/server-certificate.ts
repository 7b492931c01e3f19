// ssl_cert_file and ssl_key_file: the server's chain and its key, which must fit each other (semantics §2.2 to §2.5).

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { readRegularFile } from '../regular-file.ts';
import { readKeyFile } from './key-file.ts';
import { runPassphraseCommand } from './passphrase.ts';
import { certificateLabels, pemBlocks } from './pem.ts';
import { errorWords, refusalAt, type TlsSource } from './refusal.ts';

/** What Node's TLS options take. */
export interface ServerCertificate {
  /** The whole file: PEM, leaf first. */
  readonly chain: Buffer;
  /** SECURITY: the private key, PEM as in its file; in no log line and no error. */
  readonly key: Buffer;
  readonly passphrase?: string;
  readonly certificates: readonly X509Certificate[];
}

/**
 * @param options.reload an encrypted key is then read only with ssl_passphrase_command_supports_reload
 * @throws LoadError with PostgreSQL's text for the first thing that is wrong, in PostgreSQL's order
 */
export async function loadServerCertificate(
  settings: TlsSource,
  options: { readonly reload: boolean },
): Promise<ServerCertificate> {
  const { certificates, chain } = await loadChain(settings);
  const { keyFile } = settings.tls;
  const refuse = refusalAt(settings, 'ssl_key_file', keyFile);
  const key = await readKeyFile(keyFile, refuse);
  const passphrase = isEncrypted(key) ? { passphrase: await askPassphrase(settings, options) } : {};
  try {
    createSecureContext({ ca: [], cert: chain, key, ...passphrase });
  } catch (error) {
    throw refuse(`could not load private key file "${keyFile}": ${errorWords(error, 'unsupported')}`);
  }
  // OpenSSL files a key of another type than the certificate's away for a certificate that never comes.
  if (certificates[0]?.checkPrivateKey(createPrivateKey({ key, ...passphrase })) !== true) {
    throw refuse('check of private key failed: no certificate assigned');
  }
  return { chain, key, ...passphrase, certificates };
}

async function loadChain(settings: TlsSource): Promise<Pick<ServerCertificate, 'chain' | 'certificates'>> {
  const { certFile } = settings.tls;
  try {
    const chain = await readRegularFile(certFile);
    createSecureContext({ ca: [], cert: chain });
    const blocks = pemBlocks(chain.toString('latin1'), certificateLabels);
    return { chain, certificates: blocks.map((block) => new X509Certificate(block.text)) };
  } catch (error) {
    const words = errorWords(error, 'no start line');
    const refuse = refusalAt(settings, 'ssl_cert_file', certFile);
    throw refuse(`could not load server certificate file "${certFile}": ${words}`);
  }
}

/** Both forms of an encrypted key: PKCS #8, and OpenSSL's older one with headers. */
const ENCRYPTED = /^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

function isEncrypted(key: Buffer): boolean {
  return ENCRYPTED.test(key.toString('latin1'));
}

async function askPassphrase(settings: TlsSource, { reload }: { readonly reload: boolean }): Promise<string> {
  const { keyFile, passphraseCommand, passphraseCommandSupportsReload } = settings.tls;
  if (reload && (passphraseCommand === '' || !passphraseCommandSupportsReload)) {
    const refuse = refusalAt(settings, 'ssl_key_file', keyFile);
    throw refuse(`private key file "${keyFile}" cannot be reloaded because it requires a passphrase`);
  }
  if (passphraseCommand === '') {
    const refuse = refusalAt(settings, 'ssl_key_file', keyFile);
    // PostgreSQL lets OpenSSL ask on the terminal; without one these are OpenSSL's words.
    throw refuse(`could not load private key file "${keyFile}": processing error`, {
      hint: 'The key is encrypted: set "ssl_passphrase_command" to a command that prints its passphrase.',
    });
  }
  return runPassphraseCommand(passphraseCommand, { refuse: refusalAt(settings, 'ssl_passphrase_command') });
}
