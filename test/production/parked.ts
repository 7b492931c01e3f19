// Connections that wait through a reload: at each place where a client can wait, for each part that can change.

import { once } from 'node:events';
import { createServer, connect, type AddressInfo } from 'node:net';
import { test } from 'tap';
import { testAuthority, type Credentials, type TestAuthority } from '../support/certificates/certificates.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { codedLines } from '../session/clients.ts';
import { answering, reloaded } from './clients.ts';

const RULES = 'hostssl all alice all cert map=m\nhost all bob all trust\n';
const MAP = 'm alice-cert alice\n';
const STALE = { S: 'FATAL', C: '57P03', M: "the server's certificates have changed, please reconnect" };

/** What changes, what a new connection is told then, and whether the handshake of an old one is stale. */
interface Change {
  readonly name: string;
  readonly file: string;
  readonly content: (authority: TestAuthority, credentials: Credentials, t: Scope) => string;
  readonly refusal: Readonly<Record<string, string | RegExp>>;
  readonly code: string;
  readonly stale: boolean;
}

const changes: readonly Change[] = [
  {
    name: 'a revoked certificate',
    file: 'ca.crl',
    content: (authority, credentials) => authority.crl({ revoked: [credentials] }),
    refusal: { C: '28000', M: 'client certificate verification failed: certificate revoked' },
    code: 'client-cert-revoked',
    stale: true,
  },
  {
    name: 'a replaced CA',
    file: 'ca.crt',
    content: (_authority, _credentials, t) => testAuthority(t, { cn: 'Another CA' }).cert,
    refusal: { C: '28000', M: /^client certificate verification failed: / },
    code: 'client-cert-self-signed',
    stale: true,
  },
  {
    name: 'a removed rule',
    file: 'pg_hba.conf',
    content: () => 'host all bob all trust\n',
    refusal: { C: '28000', M: /^no pg_hba.conf entry for host "127.0.0.1", user "alice"/ },
    code: 'hba-no-entry',
    stale: false,
  },
  {
    name: 'a removed map',
    file: 'pg_ident.conf',
    content: () => 'm somebody-else alice\n',
    refusal: { C: '28000', M: 'certificate authentication failed for user "alice"' },
    code: 'client-cert-name-mismatch',
    stale: false,
  },
];

/** Where a client can wait: what it does before the reload; what it does after it up to its StartupMessage. */
interface Place {
  readonly name: string;
  /** Its handshake began before the reload. */
  readonly isBegun: boolean;
  readonly park: (t: Scope, gate: Gate, credentials: Credentials) => Promise<() => Promise<RawClient>>;
}

const places: readonly Place[] = [
  {
    name: 'without a byte',
    isBegun: false,
    park: async (t, gate, credentials) => {
      const client = await connectRaw(t, gate.port);
      await gate.waitForLog(
        ({ msg }) => msg === `connection received: host=127.0.0.1 port=${client.raw.localPort}`,
      );
      return async () => {
        await client.openTls(tlsOptions(gate, credentials));
        return client;
      };
    },
  },
  {
    name: 'after S',
    isBegun: true,
    park: async (t, gate, credentials) => {
      const client = await connectRaw(t, gate.port);
      await client.requestTls();
      return async () => {
        await client.startTls(tlsOptions(gate, credentials));
        return client;
      };
    },
  },
  {
    name: 'in the middle of the handshake',
    isBegun: true,
    park: async (t, gate, credentials) => {
      const line = await heldLine(t, gate.port);
      const client = await connectRaw(t, line.port);
      const opened = client.openTls(tlsOptions(gate, credentials));
      opened.catch(() => undefined);
      await line.held;
      return async () => {
        line.release();
        await opened;
        return client;
      };
    },
  },
  {
    name: 'before the startup packet',
    isBegun: true,
    park: async (t, gate, credentials) => {
      const client = await connectRaw(t, gate.port);
      await client.openTls(tlsOptions(gate, credentials));
      return async () => client;
    },
  },
];

/** The tests of every change at every place, for a gate of so many workers. */
export function testParkedConnections(workers: number): void {
  for (const change of changes) {
    void test(`${change.name}, workers: ${workers}`, async (t) => {
      const authority = testAuthority(t);
      const credentials = authority.client('alice-cert');
      const upstream = await scriptedUpstream(t, answering);
      const gate = await startGate(t, {
        hba: RULES,
        ident: MAP,
        upstream,
        authority,
        config: { workers, ssl_crl_file: 'ca.crl', reload: { watch: 'off' } },
        files: { 'ca.crl': authority.crl() },
      });
      const parked = [];
      // Several of each, so that both workers have some.
      for (const place of [...places, ...places, ...places]) {
        parked.push({ place, goOn: await place.park(t, gate, credentials) });
      }
      gate.rewrite(change.file, change.content(authority, credentials, t));
      t.match(await reloaded(gate), { ok: true });
      const from = gate.logLength();
      for (const { place, goOn } of parked) {
        const client = await goOn();
        const { error } = await client.login({ user: 'alice' });
        const isStale = change.stale && place.isBegun;
        t.match(error, isStale ? STALE : change.refusal, `${place.name}: refused`);
        client.destroy();
      }
      const codes = (): readonly string[] => codedLines(gate, from).map(({ code }) => String(code));
      while (codes().length < parked.length) await gate.waitForLog(() => true, { from: gate.logLength() });
      t.strictSame(
        codes().toSorted(),
        parked
          .map(({ place }) => (change.stale && place.isBegun ? 'stale-handshake' : change.code))
          .toSorted(),
      );
      t.equal(upstream.connections.length, 0, 'the upstream has seen none of them');
    });
  }

  void test(`a reload that leaves the TLS files alone refuses no handshake, workers: ${workers}`, async (t) => {
    const authority = testAuthority(t);
    const credentials = authority.client('alice-cert');
    const gate = await startGate(t, {
      hba: RULES,
      ident: MAP,
      upstream: await scriptedUpstream(t, answering),
      authority,
      config: { workers, ssl_crl_file: 'ca.crl', reload: { watch: 'off' } },
      files: { 'ca.crl': authority.crl() },
    });
    const parked = [];
    for (const place of [...places, ...places]) parked.push(await place.park(t, gate, credentials));
    gate.rewrite('pg_hba.conf', `# another line\n${RULES}`);
    // Written anew, with the bytes that it had.
    gate.rewrite('ca.crt', authority.cert);
    t.match(await reloaded(gate), { ok: true });
    for (const goOn of parked) {
      const client = await goOn();
      t.equal((await client.login({ user: 'alice' })).error, null);
    }
    t.match(
      (await gate.sessions()).map(({ rule }) => rule),
      parked.map(() => ({ line: 2 })),
      'by the rules that are in force now',
    );
  });
}

function tlsOptions(gate: Gate, { cert, key }: Credentials) {
  return { ca: gate.authority.cert, servername: 'localhost', cert, key };
}

/** A line to the gate that passes on what the client says until the gate has begun its part of the handshake. */
async function heldLine(
  t: Scope,
  port: number,
): Promise<{ readonly port: number; readonly held: Promise<void>; readonly release: () => void }> {
  const { promise: held, resolve: onHeld } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const server = createServer((client) => {
    const gate = connect(port, '127.0.0.1');
    for (const socket of [client, gate]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      atEnd(t, () => socket.destroy());
    }
    let isHeld = false;
    client.on('data', (chunk) => {
      if (isHeld) void released.then(() => gate.write(chunk));
      else gate.write(chunk);
    });
    gate.on('data', (chunk) => {
      // The S is one byte; what is longer is the handshake's.
      if (chunk.length > 1) {
        isHeld = true;
        onHeld();
      }
      client.write(chunk);
    });
    client.on('close', () => gate.destroy());
    gate.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, () => server.close());
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address
  return { port: (server.address() as AddressInfo).port, held, release };
}
