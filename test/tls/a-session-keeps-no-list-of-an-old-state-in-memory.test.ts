// A session keeps the tls.Server that made it for as long as it lasts, and a list of 100,000 entries is 10 MB of text and
// bytes beside what OpenSSL holds: twenty reloads with a session of each would keep twenty of them.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { collectGarbage } from '../../src/base/garbage.ts';
import { TlsAcceptor } from '../../src/tls/tls-acceptor.ts';
import type { TlsMaterial, TlsSession } from '../../src/tls/types.ts';
import { testAuthority, type TestAuthority } from '../support/certificates/certificates.ts';
import {
  forEveryone,
  listen,
  loadMaterial,
  presenting,
  TlsClient,
  tlsSettings,
} from '../support/certificates/tls.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { within } from '../support/run/waiting.ts';

interface Outlived {
  readonly session: TlsSession;
  readonly acceptor: WeakRef<TlsAcceptor>;
  readonly material: WeakRef<TlsMaterial>;
}

/** A session on this connection, and nobody else who knows the state that it began with. */
async function outlivedState(t: Scope, authority: TestAuthority, raw: Socket): Promise<Outlived> {
  const list = join(temporaryDirectory(t), 'lists.pem');
  writeFileSync(list, authority.crl());
  const settings = { ssl_ca_file: authority.caFile, ssl_crl_file: list };
  const material = await loadMaterial(tlsSettings(authority.server(), settings));
  const acceptor = new TlsAcceptor(forEveryone(material));
  const { session } = await acceptor.accept(raw, { signal: new AbortController().signal });
  return { session, acceptor: new WeakRef(acceptor), material: new WeakRef(material) };
}

await test('a session outlives the state of the ssl_* files that it began with', async (t) => {
  const authority = testAuthority(t);
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  const port = await listen(t, server);
  const connected = once(server, 'connection');
  const client = new TlsClient(t, { port }, presenting(authority.client('alice')));
  const [raw]: Socket[] = await connected;
  if (raw === undefined) throw new Error('no connection');
  atEnd(t, () => raw.destroy());
  const { session, acceptor, material } = await outlivedState(t, authority, raw);
  await client.secured();
  // What a WeakRef names is held until the turn of the event loop is over in which it was made.
  await turn();
  collectGarbage();
  t.equal(acceptor.deref() === undefined, true, 'its acceptor is gone');
  t.equal(material.deref() === undefined, true, 'its certificates and lists are gone');
  t.equal(session.certificate.state, 'verified');
  const received = once(client.socket, 'data');
  session.socket.write('still there');
  const [bytes]: Buffer[] = await within(received, 'the session to say something');
  t.equal(bytes?.toString(), 'still there');
});
