// PostgreSQL sends the names in ssl_ca_file, by which clients with several certificates choose (semantics §2.7). In
// TLS 1.2 they cross the wire in clear.

import { connect } from 'node:net';
import { test } from 'tap';
import { encodeName } from '../../src/pki/names.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { atEnd } from '../support/run/scope.ts';
import { capturedClientHello, gateOf } from '../support/certificates/tls.ts';
import { within } from '../support/run/waiting.ts';

/** Last message of the server's flight: ServerHelloDone, in a record of its own or not. */
const SERVER_HELLO_DONE = Buffer.from('0e000000', 'hex');

await test('with ssl_ca_file every CA of it is named, without none', async (t) => {
  const authority = testAuthority(t, { cn: 'First Root' });
  const second = testAuthority(t, { cn: 'Second Root' });
  const caFile = authority.write('both.crt', authority.cert + second.cert);
  const hello = await capturedClientHello(t, { maxVersion: 'TLSv1.2' });
  for (const [setting, expected] of [
    [caFile, true],
    ['', false],
  ] as const) {
    const { port } = await gateOf(t, authority, { ssl_ca_file: setting });
    const socket = connect({ port, host: '127.0.0.1' });
    atEnd(t, () => socket.destroy());
    const flight: Buffer[] = [];
    const done = new Promise<void>((resolve) =>
      socket.on('data', (chunk: Buffer) => {
        flight.push(chunk);
        if (Buffer.concat(flight).includes(SERVER_HELLO_DONE)) resolve();
      }),
    );
    socket.write(hello);
    await within(done, "the server's flight");
    // The server's own certificate names its issuer as well, so First Root is there once at least.
    const bytes = Buffer.concat(flight);
    t.equal(bytes.includes(encodeName('Second Root')), expected, `ssl_ca_file '${setting}'`);
  }
});
