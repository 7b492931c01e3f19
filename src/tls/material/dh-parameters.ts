// ssl_dh_params_file: Diffie-Hellman parameters of the operator's own, checked before they are used as PostgreSQL
// does (semantics §2.6), because parameters with a trapdoor look like any others.

import { checkPrime } from 'node:crypto';
import { promisify } from 'node:util';
import type { SourceReader } from '../../base/sources.ts';
import { decodeInteger, DerError, DerReader, tags } from '../../x509/der.ts';
import { encodePem, PemError, readPem } from '../../x509/pem.ts';
import { errorWords, type Refuse } from './load-problem.ts';

const isPrime = promisify(checkPrime);

/** The test of a longer prime takes minutes. 8192 bits take some 12 s, on a thread of the pool. */
const MAX_PRIME_BYTES = 1024;

/**
 * The file's PEM block, for Node's `dhparam`.
 * @throws LoadError with PostgreSQL's text when it cannot be read or its parameters are not usable
 */
export async function readDhParameters(
  path: string,
  { reader, refuse }: { readonly reader: SourceReader; readonly refuse: Refuse },
): Promise<string> {
  const content = await reader.file(path).catch((error: unknown) => {
    throw refuse(`could not open DH parameters file "${path}": ${errorWords(error, 'unknown error')}`);
  });
  const der = parametersBlock(content, refuse);
  const { prime, generator } = decodeParameters(der, refuse);
  // SECURITY: a composite modulus makes discrete logarithms easy for anyone who knows its factors.
  if (prime < 0n || !(await isPrime(prime))) throw refuse('invalid DH parameters: p is not prime');
  // SECURITY: 0, 1 and -1 make every shared secret one of two numbers. PostgreSQL takes them with a safe prime.
  if (generator <= 1n || generator >= prime - 1n) {
    throw refuse('invalid DH parameters: neither suitable generator or safe prime');
  }
  return encodePem(LABEL, der);
}

const LABEL = 'DH PARAMETERS';

function parametersBlock(content: Buffer, refuse: Refuse): Buffer {
  try {
    for (const { label, der } of readPem(content)) if (label === LABEL) return der;
    throw new PemError('no start line');
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    throw refuse(`could not load DH parameters file: ${error.message}`);
  }
}

/** PKCS #3: SEQUENCE { prime INTEGER, base INTEGER, privateValueLength INTEGER OPTIONAL }. */
function decodeParameters(der: Uint8Array, refuse: Refuse): { prime: bigint; generator: bigint } {
  try {
    const sequence = new DerReader(der).enter(tags.sequence);
    const modulus = sequence.contents(tags.integer);
    // One byte more: a leading zero keeps the number positive.
    if (modulus.length > MAX_PRIME_BYTES + 1) throw refuse('invalid DH parameters: modulus too large');
    const prime = decodeInteger(modulus, MAX_PRIME_BYTES + 1);
    const generator = decodeInteger(sequence.contents(tags.integer), MAX_PRIME_BYTES + 1);
    return { prime, generator };
  } catch (error) {
    if (error instanceof DerError) throw refuse('could not load DH parameters file: bad object');
    throw error;
  }
}
