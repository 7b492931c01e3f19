// ssl_dh_params_file: only a prime modulus with a generator of a large group is used (semantics §2.6).

import { getDiffieHellman } from 'node:crypto';
import { test } from 'tap';
import { integer, pem, sequence } from '../../src/x509/encode.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { loadingProblem, loadMaterial, tlsSettings } from '../support/certificates/tls.ts';

/** RFC 3526, group 14: a safe prime of 2048 bits. */
const prime = BigInt(`0x${getDiffieHellman('modp14').getPrime('hex')}`);
/** RFC 2409, group 2: of 1024 bits, too short for OpenSSL's security level. */
const shortPrime = BigInt(`0x${getDiffieHellman('modp2').getPrime('hex')}`);

function parameters(p: bigint, g: bigint): string {
  return pem('DH PARAMETERS', sequence(integer(p), integer(g)));
}

await test('what is taken and what is not', async (t) => {
  const authority = testAuthority(t);
  const server = authority.server();
  const table: readonly (readonly [name: string, content: string, message: string | null])[] = [
    ['a safe prime', parameters(prime, 2n), null],
    ['text around it', `2048 bits\n${parameters(prime, 2n)}\n# end`, null],
    ['a length after', pem('DH PARAMETERS', sequence(integer(prime), integer(2n), integer(225n))), null],
    ['a composite', parameters(prime - 2n, 2n), 'invalid DH parameters: p is not prime'],
    ['zero', parameters(0n, 2n), 'invalid DH parameters: p is not prime'],
    ['a negative modulus', parameters(-prime, 2n), 'invalid DH parameters: p is not prime'],
    ['generator 1', parameters(prime, 1n), 'invalid DH parameters: neither suitable generator or safe prime'],
    [
      'generator p-1',
      parameters(prime, prime - 1n),
      'invalid DH parameters: neither suitable generator or safe prime',
    ],
    ['a short prime', parameters(shortPrime, 2n), 'DH: could not set DH parameters: dh key too small'],
    ['a huge modulus', parameters(1n << 20_000n, 2n), 'invalid DH parameters: modulus too large'],
    ['nothing', '', 'could not load DH parameters file: no start line'],
    ['a certificate', server.cert, 'could not load DH parameters file: no start line'],
    ['no DER', pem('DH PARAMETERS', Buffer.from('junk')), 'could not load DH parameters file: bad object'],
  ];
  for (const [name, content, message] of table) {
    const tls = tlsSettings(server, { ssl_dh_params_file: authority.write('dh.pem', content) });
    if (message === null) t.ok(await loadMaterial(tls), name);
    else t.match(await loadingProblem(tls, { lines: { ssl_dh_params_file: 5 } }), { line: 5, message }, name);
  }
});
