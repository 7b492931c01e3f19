// Renegotiation could exchange the client under a running session (semantics §2.3, N6).

import { createServer } from 'node:tls';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { atEnd } from '../support/run/scope.ts';
import { gateOf, listen, presenting, TlsClient } from '../support/certificates/tls.ts';
import { within } from '../support/run/waiting.ts';

/** Null when the server took part. */
function renegotiated(client: TlsClient): Promise<Error | null> {
  return within(
    new Promise((resolve) => {
      client.socket.once('error', resolve);
      client.socket.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error));
    }),
    'the end of the renegotiation',
  );
}

await test("TLS 1.2: a server with Node's defaults takes part, the gate does not", async (t) => {
  const authority = testAuthority(t);
  const options = { ...presenting(authority.client('alice')), maxVersion: 'TLSv1.2' } as const;

  const { cert, key } = authority.server();
  const control = createServer({ cert, key }, (socket) => {
    atEnd(t, () => socket.destroy());
    socket.on('error', () => undefined);
  });
  const port = await listen(t, control);
  t.equal(await renegotiated(await new TlsClient(t, { port }, options).secured()), null);

  const gate = await gateOf(t, authority);
  const client = new TlsClient(t, gate, options);
  const { certificate } = await gate.session();
  t.match(await renegotiated(await client.secured()), { code: /NO_RENEGOTIATION/ });
  t.match(certificate, { state: 'verified', identity: { names: { cn: 'alice' } } });
});
