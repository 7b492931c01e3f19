// OpenSSL reads a revocation list into each SecureContext anew: 50 ms of the thread and 20 MB for 100,000 entries. So the
// context that new clients meet is also the one that live sessions are judged by after a reload.

import { createServer } from 'node:tls';
import { test } from 'tap';
import { contextFor, shareContextOf } from '../../src/tls/material/shared-context.ts';
import { testAuthority } from '../support/certificates/certificates.ts';

await test("a server's own context is handed out for its options", async (t) => {
  const authority = testAuthority(t);
  const { cert, key } = authority.server();
  const options = { cert, key, ca: authority.cert, crl: authority.crl() };
  const server = createServer(options);
  shareContextOf(server, options);
  const context = contextFor(options);
  // Node does not document the property: when this fails, a second context is made, and the lists are there twice.
  t.equal(context, Reflect.get(server, '_sharedCreds'));
  t.equal(contextFor(options), context);
});

await test('without a server a context is made once, and what is wrong is thrown', async (t) => {
  const authority = testAuthority(t);
  const options = { ca: authority.cert };
  t.equal(contextFor(options), contextFor(options));
  t.not(contextFor(options), contextFor({ ...options }));
  t.throws(() => contextFor({ ca: [], cert: 'nonsense' }));
});
