// ssl_ca_file: the roots that client certificates must lead to (semantics §2.7).

import { X509Certificate } from 'node:crypto';
import { readRegularFile } from '../regular-file.ts';
import { certificateLabels, hasUnfinishedBlock, pemBlocks } from './pem.ts';
import { errorWords, refusalAt, type TlsSource } from './refusal.ts';

/** The bundle, one certificate an entry. */
export interface ClientAuthority {
  readonly pem: string;
  readonly certificate: X509Certificate;
}

/**
 * @returns none when ssl_ca_file is not set
 * @throws LoadError with PostgreSQL's text
 */
export async function loadClientAuthorities(settings: TlsSource): Promise<ClientAuthority[]> {
  const { caFile } = settings.tls;
  if (caFile === '') return [];
  try {
    const text = (await readRegularFile(caFile)).toString('latin1');
    const blocks = pemBlocks(text, certificateLabels);
    if (hasUnfinishedBlock(text, certificateLabels)) throw opensslError('bad end line');
    if (blocks.length === 0) throw opensslError('no certificate or crl found');
    // Each by itself: of a bundle with a damaged certificate in its middle Node would silently take the first half.
    return blocks.map((block) => ({ pem: block.text, certificate: new X509Certificate(block.text) }));
  } catch (error) {
    const words = errorWords(error, 'no certificate or crl found');
    const refuse = refusalAt(settings, 'ssl_ca_file', caFile);
    throw refuse(`could not load root certificate file "${caFile}": ${words}`);
  }
}

function opensslError(reason: string): Error {
  return Object.assign(new Error(reason), { reason });
}
