// A handshake waits for a client only as long as its owner does, leaves nothing behind, and survives a client that
// goes at any moment.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'tap';
import { GatehouseError } from '../../src/base/errors.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import {
  capturedClientHello,
  gateOf,
  listen,
  loadMaterial,
  presenting,
  startTlsGate,
  TlsClient,
  tlsSettings,
} from '../support/certificates/tls.ts';
import { within } from '../support/run/waiting.ts';

function rawClient(t: Scope, port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  atEnd(t, () => socket.destroy());
  return socket;
}

function closing(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve));
}

await test('the signal ends it with its reason: before a byte, in the ClientHello, after it', async (t) => {
  const whole = await capturedClientHello(t);
  const material = await loadMaterial(tlsSettings(testAuthority(t).server()));
  for (const bytes of [Buffer.alloc(0), whole.subarray(0, 100), whole]) {
    const controller = new AbortController();
    const gate = await startTlsGate(t, material, { signal: controller.signal });
    const client = rawClient(t, gate.port).resume();
    const closed = closing(client);
    await once(client, 'connect');
    if (bytes.length > 0) client.write(bytes);
    // After the whole ClientHello, when the server has answered; else when its bytes have gone out.
    if (bytes === whole) await within(once(client, 'data'), 'the ServerHello');
    const reason = new GatehouseError('authentication-timeout');
    controller.abort(reason);
    t.equal(await gate.failure(), reason, `after ${bytes.length} bytes`);
    await within(closed, 'the connection to be closed');
  }
});

await test('a signal that has ended already ends it at once', async (t) => {
  const reason = new GatehouseError('shutting-down');
  const gate = await startTlsGate(t, await loadMaterial(tlsSettings(testAuthority(t).server())), {
    signal: AbortSignal.abort(reason),
  });
  const client = rawClient(t, gate.port).resume();
  const closed = closing(client);
  t.equal(await gate.failure(), reason);
  await within(closed, 'the connection to be closed');
});

await test('no listener stays on the signal or the socket', async (t) => {
  const authority = testAuthority(t);
  const { signal } = new AbortController();
  const listeners = { added: 0, removed: 0 };
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>): void => {
    listeners.added += 1;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>): void => {
    listeners.removed += 1;
    remove(...args);
  };
  const material = await loadMaterial(tlsSettings(authority.server()));
  const gate = await startTlsGate(t, material, { signal });
  await new TlsClient(t, gate).secured();
  await gate.session();
  rawClient(t, gate.port).end();
  await gate.failure();
  t.ok(listeners.added > 0);
  t.equal(listeners.removed, listeners.added);
});

await test('a client that goes after any number of bytes leaves one failure each, and no crash', async (t) => {
  const whole = await capturedClientHello(t);
  const gate = await gateOf(t, testAuthority(t));
  const cuts = [...Array(24).keys(), 60, 100, whole.length - 1, whole.length];
  for (const [index, cut] of cuts.entries()) {
    const client = rawClient(t, gate.port);
    await once(client, 'connect');
    if (cut > 0) await new Promise((resolve) => client.write(whole.subarray(0, cut), resolve));
    if (index % 2 === 0) client.resetAndDestroy();
    else client.end();
    t.equal((await gate.failure()).code, 'tls-eof', `after ${cut} bytes`);
  }
});

await test('a connection that was gone before it was accepted', async (t) => {
  const material = await loadMaterial(tlsSettings(testAuthority(t).server()));
  const gate = await startTlsGate(t, material, {
    before: (raw) =>
      new Promise((resolve) => {
        raw.once('close', resolve);
        raw.destroy();
      }),
  });
  rawClient(t, gate.port);
  t.equal((await gate.failure()).code, 'tls-eof');
});

await test('a client that resets after its handshake closes the session and crashes nothing', async (t) => {
  const authority = testAuthority(t);
  const gate = await gateOf(t, authority);
  // A socket under TLS cannot be reset by Node: one between the client and the gate can.
  const between = rawClient(t, gate.port);
  const port = await listen(
    t,
    createServer((from) => {
      from.on('error', () => undefined);
      from.pipe(between).pipe(from);
    }),
  );
  const client = await new TlsClient(t, { port }, presenting(authority.client('alice'))).secured();
  const { socket } = await gate.session();
  const closed = closing(socket);
  socket.resume();
  socket.write('hello');
  await within(once(client.socket, 'data'), 'the session to be under way');
  between.resetAndDestroy();
  await within(closed, 'the session to close');
  socket.write('to nobody');
  t.ok(socket.destroyed);
});

await test('one acceptor serves on after failures of every kind', async (t) => {
  const authority = testAuthority(t);
  const gate = await gateOf(t, authority);
  rawClient(t, gate.port).end('junk');
  await gate.failure();
  rawClient(t, gate.port).resetAndDestroy();
  const refused = new TlsClient(t, gate, { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' });
  await refused.closed();
  const good = await new TlsClient(t, gate, presenting(authority.client('alice'))).secured();
  const outcome = await gate.outcomes.next(({ session }) => session !== null, 'the good one');
  t.match(outcome.session?.certificate, { state: 'verified' });
  t.ok(good.socket.encrypted);
});

await test("Node's own time limit on a handshake is beyond the longest authentication_timeout", async (t) => {
  const { options } = await loadMaterial(tlsSettings(testAuthority(t).server()));
  t.ok(Number(options.handshakeTimeout) > 600_000, 'Node counts 0 as 120 s');
});
