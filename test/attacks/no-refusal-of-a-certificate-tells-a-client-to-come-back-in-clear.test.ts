// libpq's sslmode=prefer and pgJDBC's come again in clear text after an error inside TLS. PostgreSQL refuses a certificate
// that does not verify by an alert, after which they do not. So where a line would admit the same client without TLS, the
// gate closes without an error; everywhere else it says what is wrong (contract §7.12, §7.38).

import { test } from 'tap';
import {
  bmpString,
  testAuthority,
  type Credentials,
  type TestAuthority,
} from '../support/certificates/certificates.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { startupMessage } from '../support/peers/messages.ts';
import { psql } from '../support/peers/psql.ts';
import { decodeErrorResponse, type RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import type { Scope } from '../support/run/scope.ts';
import { needs } from '../support/run/tools.ts';
import { codedLines, openClient, openSession } from '../session/clients.ts';

const HBA = `
hostssl   tls_only  all    all          trust
host      either    all    127.0.0.1/32 trust
host      password  all    127.0.0.1/32 scram-sha-256
hostnossl split     all    all          trust
hostssl   split     all    all          cert
hostnossl no_plain  all    all          reject
host      no_plain  all    all          trust
host      alice     alice  127.0.0.1/32 trust
host      elsewhere all    10.0.0.0/8   trust
host      name      all    localhost    trust
host      replication all  127.0.0.1/32 trust
`;

/** Whether the lines above let this client in without TLS. */
const CLIENTS: readonly (readonly [parameters: Record<string, string>, inClear: boolean])[] = [
  [{ user: 'alice', database: 'tls_only' }, false],
  [{ user: 'alice', database: 'either' }, true],
  [{ user: 'alice', database: 'password' }, true],
  [{ user: 'alice', database: 'split' }, true],
  [{ user: 'alice', database: 'no_plain' }, false],
  [{ user: 'alice', database: 'alice' }, true],
  [{ user: 'alice' }, true],
  [{ user: 'bob', database: 'alice' }, false],
  [{ user: 'alice', database: 'elsewhere' }, false],
  [{ user: 'alice', database: 'unknown' }, false],
  [{ user: 'alice', replication: 'true' }, true],
];

/** Each kind of certificate that does not verify. */
const KINDS: Readonly<
  Record<string, (authority: TestAuthority, t: Scope) => Pick<Credentials, 'cert' | 'key'>>
> = {
  'of a foreign CA': (_, t) => testAuthority(t, { cn: 'Foreign CA' }).client('alice'),
  'self-signed': (authority) => authority.client('alice', { selfSigned: true }),
  expired: (authority) => authority.client('alice', { expired: true }),
  'with a NUL in its name': (authority) => authority.client('alice\0x'),
  'with a name of two-byte characters': (authority) =>
    authority.client('', { dn: [{ CN: bmpString('alice') }] }),
};

async function secured(
  t: Scope,
  gate: Gate,
  { cert, key }: Pick<Credentials, 'cert' | 'key'>,
): Promise<RawClient> {
  const client = await openClient(t, gate, { tls: false });
  await client.openTls({ cert, key });
  return client;
}

await test('a table of lines and clients', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: HBA, upstream });
  for (const [kind, make] of Object.entries(KINDS)) {
    const certificate = make(gate.authority, t);
    for (const [parameters, inClear] of CLIENTS) {
      const name = `${kind}, ${JSON.stringify(parameters)}`;
      const from = gate.logLength();
      const client = await secured(t, gate, certificate);
      await client.send(startupMessage(parameters));
      if (inClear) t.same(await client.expectClosed(), { how: 'end' }, `${name}: not a word`);
      else {
        const { C, M } = decodeErrorResponse(await client.readMessage());
        t.equal(C, '28000', name);
        t.match(M, /^client certificate verification failed: /, name);
      }
      client.destroy();
      const line = await gate.waitForLog(({ code }) => code !== undefined, { from });
      t.match(line.code, /^client-cert-/, name);
      t.equal(typeof line['reason'], 'string', `${name}: the log says why`);
      t.equal(
        /would admit it without TLS/.test(String(line.hint)),
        inClear,
        `${name}: and why the client was not told`,
      );
      t.equal(line['rule'], undefined, `${name}: no line has decided`);
    }
  }
  t.equal(upstream.connections.length, 0);
});

await test('psql with sslmode=prefer', needs('psql'), async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: HBA, upstream });
  const mallory = testAuthority(t, { cn: 'Foreign CA' }).client('alice');
  for (const libpq of [15, 18] as const) {
    for (const database of ['either', 'password', 'split']) {
      const from = gate.logLength();
      const { stdout, stderr } = await psql(
        {
          host: '127.0.0.1',
          port: gate.port,
          user: 'alice',
          dbname: database,
          sslmode: 'prefer',
          sslcert: mallory.certFile,
          sslkey: mallory.keyFile,
        },
        ['-c', 'select 1'],
        { libpq },
      );
      t.equal(stdout, '', database);
      t.match(
        stderr,
        /closed the connection unexpectedly|connection has been closed unexpectedly/,
        `libpq ${libpq}, ${database}`,
      );
      await gate.waitForLog({ code: 'client-cert-untrusted' }, { from });
      const received = gate.log.slice(from).filter(({ msg }) => msg.startsWith('connection received: '));
      t.equal(received.length, 1, `libpq ${libpq}, ${database}: it has come once`);
    }
  }
  t.strictSame([...new Set(codedLines(gate).map(({ code }) => code))], ['client-cert-untrusted']);
  t.equal(upstream.connections.length, 0, 'nobody has come in clear');
});

await test(
  'psql does not come back in clear after 57P03, which a stale handshake and a drain get',
  needs('psql'),
  async (t) => {
    const upstream = await scriptedUpstream(t, scripts.trust);
    const gate = await startGate(t, { hba: HBA, upstream });
    await openSession(t, gate, { parameters: { user: 'alice', database: 'either' } });
    gate.signal('SIGTERM');
    await gate.waitForLog({ msg: /^draining: / });
    for (const libpq of [15, 18] as const) {
      const from = gate.logLength();
      const { stderr } = await psql(
        { host: '127.0.0.1', port: gate.port, user: 'alice', dbname: 'either', sslmode: 'prefer' },
        ['-c', 'select 1'],
        { libpq },
      );
      t.match(stderr, /the database system is shutting down/, `libpq ${libpq}`);
      await gate.waitForLog({ code: 'shutting-down' }, { from });
      const received = gate.log.slice(from).filter(({ msg }) => msg.startsWith('connection received: '));
      t.equal(received.length, 1, `libpq ${libpq}: it has come once`);
    }
  },
);
