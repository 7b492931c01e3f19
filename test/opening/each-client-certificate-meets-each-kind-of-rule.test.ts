// Certificates good and bad against lines that want none, any, or one of the user's name: who gets in, what the others
// are told inside TLS, and all that the closing line says (semantics §2.7 to §2.11, §6.1 to §6.7, contract §3, §4).

import { X509Certificate } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { test } from 'tap';
import {
  bmpString,
  testAuthority,
  type Credentials,
  type TestAuthority,
} from '../support/certificates/certificates.ts';
import { startGate, type Gate, type LogLine } from '../support/run/gate.ts';
import { cancelRequest, type ClientTlsOptions, type Login } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts, type ScriptedUpstream } from '../support/peers/scripted-upstream.ts';
import type { Scope } from '../support/run/scope.ts';
import { assertOneEndingEach, visit } from '../support/peers/visitor.ts';

/** Each line under the database that names it. */
const hba = `
hostssl trust  all all trust
hostssl cert   all all cert
hostssl ca     all all trust clientcert=verify-ca
hostssl full   all all trust clientcert=verify-full
hostssl reject all all reject clientcert=verify-ca
`;
const databases = ['trust', 'cert', 'ca', 'full', 'reject', 'none'] as const;
type Database = (typeof databases)[number];

type Client = Pick<Credentials, 'cert' | 'key' | 'der' | 'serial'>;

const A63 = 'a'.repeat(63);

const refusals = {
  required: { code: 'client-cert-required', M: 'connection requires a valid client certificate' },
  rejected: {
    code: 'hba-reject',
    M: 'pg_hba.conf rejects connection for host "127.0.0.1", user "USER", database "reject", SSL encryption',
  },
  noEntry: {
    code: 'hba-no-entry',
    M: 'no pg_hba.conf entry for host "127.0.0.1", user "USER", database "none", SSL encryption',
  },
  notTheUser: {
    code: 'client-cert-name-mismatch',
    M: 'certificate authentication failed for user "USER"',
  },
  notTheUserFull: {
    code: 'client-cert-name-mismatch',
    M: '"trust" authentication failed for user "USER"',
  },
  noName: { code: 'client-cert-no-name', M: 'certificate authentication failed for user "USER"' },
  noNameFull: { code: 'client-cert-no-name', M: '"trust" authentication failed for user "USER"' },
} as const;

type Verdict = 'admitted' | keyof typeof refusals;

const anybody = { trust: 'admitted', ca: 'admitted', reject: 'rejected', none: 'noEntry' } as const;
const theUser = { ...anybody, cert: 'admitted', full: 'admitted' } as const;
const somebodyElse = { ...anybody, cert: 'notTheUser', full: 'notTheUserFull' } as const;
const nobody = { ...anybody, cert: 'noName', full: 'noNameFull' } as const;

interface VerifiedCase {
  readonly name: string;
  readonly client: (authority: TestAuthority) => Client | null;
  readonly user?: string;
  readonly verdicts: Readonly<Record<Database, Verdict>>;
}

const named =
  (cn: string) =>
  (authority: TestAuthority): Client =>
    authority.client(cn);

const verified: readonly VerifiedCase[] = [
  {
    name: 'no certificate',
    client: () => null,
    verdicts: { ...anybody, cert: 'required', ca: 'required', full: 'required', reject: 'required' },
  },
  { name: "the user's own", client: named('alice'), verdicts: theUser },
  {
    name: 'from an intermediate that is sent along',
    client: (ca) => ca.intermediate().client('alice'),
    verdicts: theUser,
  },
  { name: 'the name of another user', client: named('bob'), verdicts: somebodyElse },
  { name: 'the name in capitals', client: named('Alice'), verdicts: somebodyElse },
  { name: 'the name and a blank', client: named('alice '), verdicts: somebodyElse },
  { name: 'the name and a newline', client: named('alice\n'), verdicts: somebodyElse },
  { name: 'a name that is a keyword', client: named('all'), verdicts: somebodyElse },
  { name: 'a name that looks like a role', client: named('+alice'), verdicts: somebodyElse },
  { name: 'a name that looks like a regular expression', client: named('/^alice$'), verdicts: somebodyElse },
  {
    name: 'two common names: the first counts',
    client: (ca) => ca.client('', { dn: [{ CN: 'alice' }, { CN: 'bob' }] }),
    verdicts: theUser,
  },
  {
    name: 'two common names, the right one second',
    client: (ca) => ca.client('', { dn: [{ CN: 'bob' }, { CN: 'alice' }] }),
    verdicts: somebodyElse,
  },
  { name: 'an empty common name', client: named(''), verdicts: nobody },
  { name: 'an empty subject', client: (ca) => ca.client('', { dn: [] }), verdicts: nobody },
  {
    name: 'a subject without a common name, and a subjectAltName of the user',
    client: (ca) => ca.client('', { dn: [{ O: 'alice' }], san: { dns: ['alice'], email: ['alice'] } }),
    verdicts: nobody,
  },
  {
    name: 'a name of 64 bytes is not the user that it is cut to',
    client: named(`${A63}x`),
    user: `${A63}x`,
    verdicts: somebodyElse,
  },
  {
    name: 'the first 63 bytes of a longer user are all that counts of it',
    client: named(A63),
    user: `${A63}x`,
    verdicts: theUser,
  },
];

interface UnverifiedCase {
  readonly name: string;
  readonly client: (authority: TestAuthority, t: Scope) => Client;
  readonly code: string;
  readonly reason: string;
  /** Of the certificate at fault. */
  readonly depth?: number;
  /** What PostgreSQL's DETAIL says where OpenSSL met another error first. */
  readonly firstReason?: string;
}

const unverified: readonly UnverifiedCase[] = [
  {
    name: 'of a foreign CA',
    client: (_, t) => testAuthority(t, { cn: 'Foreign CA' }).client('alice'),
    code: 'client-cert-untrusted',
    reason: 'unable to verify the first certificate',
    firstReason: 'unable to get local issuer certificate',
  },
  {
    name: 'of a foreign CA that bears our name',
    client: (_, t) => testAuthority(t).client('alice'),
    code: 'client-cert-untrusted',
    reason: 'unable to verify the first certificate',
    firstReason: 'unable to get local issuer certificate',
  },
  {
    name: 'without the intermediate that issued it',
    client: (authority) => {
      const intermediate = authority.intermediate();
      const issued = intermediate.client('alice');
      return { ...issued, cert: issued.cert.replace(intermediate.chain, '') };
    },
    code: 'client-cert-untrusted',
    reason: 'unable to verify the first certificate',
    firstReason: 'unable to get local issuer certificate',
  },
  {
    name: 'self-signed',
    client: (authority) => authority.client('alice', { selfSigned: true }),
    code: 'client-cert-self-signed',
    reason: 'self-signed certificate',
  },
  {
    name: 'expired',
    client: (authority) => authority.client('alice', { expired: true }),
    code: 'client-cert-expired',
    reason: 'certificate has expired',
  },
  {
    name: 'not yet valid',
    client: (authority) => authority.client('alice', { notYetValid: true }),
    code: 'client-cert-not-yet-valid',
    reason: 'certificate is not yet valid',
  },
  {
    name: 'for servers only',
    client: (authority) => authority.client('alice', { extendedKeyUsage: ['serverAuth'] }),
    code: 'client-cert-wrong-purpose',
    reason: 'unsuitable certificate purpose',
  },
  {
    name: 'CVE-2009-4034: a NUL after the name',
    client: (authority) => authority.client('alice\0.example.com'),
    code: 'client-cert-nul-in-name',
    reason: 'common name contains embedded null',
  },
  {
    name: 'CVE-2009-4034: a NUL at the end of the name',
    client: (authority) => authority.client('alice\0'),
    code: 'client-cert-nul-in-name',
    reason: 'common name contains embedded null',
  },
  {
    name: 'a name in a BMPString',
    client: (authority) => authority.client('', { dn: [{ CN: bmpString('alice') }] }),
    code: 'client-cert-nul-in-name',
    reason: 'common name contains embedded null',
  },
];

const revoked = { code: 'client-cert-revoked', reason: 'certificate revoked' };

const TLS = { servername: 'db.test', ALPNProtocols: ['postgresql'], ecdhCurve: 'X25519:prime256v1' };

async function logIn(
  t: Scope,
  gate: Gate,
  client: Client | null,
  login: { user: string; database: string },
  options: ClientTlsOptions = {},
): Promise<{ answer: Login; ending: () => Promise<LogLine> }> {
  const visitor = await visit(t, gate);
  await visitor.openTls({
    ...TLS,
    ...options,
    ...(client === null ? {} : { cert: client.cert, key: client.key }),
  });
  return { answer: await visitor.login(login), ending: () => visitor.ending() };
}

async function start(
  t: Scope,
  authority: TestAuthority,
  config: Record<string, unknown> = {},
): Promise<{ gate: Gate; upstream: ScriptedUpstream }> {
  const upstream = await scriptedUpstream(t, scripts.trust);
  return { upstream, gate: await startGate(t, { hba, upstream, authority, config }) };
}

/** PostgreSQL's serial and our fingerprint, from another reader than ours. */
function facts({ der, serial }: Client): { serial: string; fingerprint: string } {
  return { serial: String(serial), fingerprint: new X509Certificate(der).fingerprint256.toLowerCase() };
}

await test('certificates that verify, and none', async (t) => {
  const authority = testAuthority(t);
  const { gate, upstream } = await start(t, authority);
  let admitted = 0;
  for (const { name, client: make, user = 'alice', verdicts } of verified) {
    const client = make(authority);
    for (const database of databases) {
      const verdict = verdicts[database];
      const { answer, ending } = await logIn(t, gate, client, { user, database });
      if (verdict === 'admitted') {
        admitted += 1;
        t.equal(answer.error, null, `${name}, ${database}: admitted`);
        continue;
      }
      const { code, M } = refusals[verdict];
      const seen = user.slice(0, 63);
      t.match(answer.error, { S: 'FATAL', C: '28000', M: M.replace('USER', seen) }, `${name}, ${database}`);
      const line = await ending();
      t.match(
        line,
        {
          code,
          user: seen,
          database,
          host: '127.0.0.1',
          ...(client === null ? {} : { certificate: facts(client) }),
        },
        name,
      );
      const rule =
        database === 'none' ? undefined : `${gate.path('pg_hba.conf')}:${databases.indexOf(database) + 2}`;
      t.equal(line['rule'], rule, 'the line that decided');
    }
  }
  t.equal(upstream.connections.length, admitted, 'the upstream saw those who were admitted and no other');
  await assertOneEndingEach(t, gate);
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  await test(`${version}: a certificate that does not verify opens no line, and ends no handshake`, async (t) => {
    const authority = testAuthority(t);
    const { gate, upstream } = await start(t, authority);
    for (const { name, client: make, code, reason, depth = 0, firstReason = reason } of unverified) {
      const client = make(authority, t);
      // That no line is asked shows under one version; the handshakes are two.
      for (const database of version === 'TLSv1.3' ? databases : (['trust'] as const)) {
        const login = { user: 'alice', database };
        const { answer, ending } = await logIn(t, gate, client, login, { maxVersion: version });
        t.strictSame(
          answer.error,
          { S: 'FATAL', V: 'FATAL', C: '28000', M: `client certificate verification failed: ${reason}` },
          `${name}, ${database}`,
        );
        const line = await ending();
        t.match(line, {
          code,
          level: 'warn',
          msg:
            code === 'client-cert-nul-in-name'
              ? "SSL certificate's common name contains embedded null"
              : 'could not accept SSL connection: certificate verify failed',
          ...login,
          certificate: facts(client),
          sni: 'db.test',
          alpn: ['postgresql'],
          versions: version === 'TLSv1.2' ? ['TLSv1.2'] : ['TLSv1.3', 'TLSv1.2'],
          groups: ['X25519', 'prime256v1'],
        });
        const [first, second] = String(line.detail).split('\n');
        t.equal(first, `Client certificate verification failed at depth ${depth}: ${firstReason}.`, name);
        t.match(
          second,
          /^Failed certificate data \(unverified\): subject "\/CN=.*", serial number \d+, issuer "\/CN=.*"\.$/,
        );
        t.ok(second?.includes(`serial number ${client.serial},`));
        t.notOk('rule' in line, 'no line decided');
      }
    }
    t.strictSame(upstream.connections, []);
    await assertOneEndingEach(t, gate);
  });
}

await test('revoked certificates, by file and by directory', async (t) => {
  const authority = testAuthority(t);
  const [alice, mallory] = [authority.client('alice'), authority.client('alice')];
  const crl = authority.crl({ revoked: [mallory] });
  mkdirSync(`${authority.directory}/crls`);
  authority.write(`crls/${authority.crlName}`, crl);
  for (const config of [
    { ssl_crl_file: authority.write('root.crl', crl) },
    { ssl_crl_dir: `${authority.directory}/crls` },
  ]) {
    const { gate } = await start(t, authority, config);
    for (const database of databases) {
      const { answer, ending } = await logIn(t, gate, mallory, { user: 'alice', database });
      t.match(answer.error, { C: '28000', M: `client certificate verification failed: ${revoked.reason}` });
      t.match(await ending(), { code: revoked.code, certificate: facts(mallory) });
    }
    const { answer } = await logIn(t, gate, alice, { user: 'alice', database: 'cert' });
    t.equal(answer.error, null, 'one that is not on the list');
    await assertOneEndingEach(t, gate);
  }
});

await test('lines that want a certificate where no root is set to check it', async (t) => {
  const authority = testAuthority(t);
  const { gate } = await start(t, authority, { ssl_ca_file: '' });
  for (const database of ['cert', 'ca', 'full', 'reject']) {
    const { answer, ending } = await logIn(t, gate, authority.client('alice'), { user: 'alice', database });
    t.match(answer.error, {
      C: 'F0000',
      M: 'client certificates can only be checked if a root certificate store is available',
    });
    t.match(await ending(), { code: 'client-cert-no-root', level: 'error' });
  }
  await assertOneEndingEach(t, gate);
});

await test('at log_level debug the names of each certificate, as PostgreSQL writes them', async (t) => {
  const authority = testAuthority(t);
  const { gate } = await start(t, authority, { log_level: 'debug' });
  const table: [client: Client | null, dn: string, cn: string][] = [
    [null, '(anonymous)', '(anonymous)'],
    [authority.client('', { dn: [{ O: 'A, B' }, { CN: 'alice' }] }), String.raw`CN=alice,O=A\, B`, 'alice'],
    [authority.client('', { dn: [{ O: 'x' }] }), 'O=x', '(anonymous)'],
  ];
  for (const [client, dn, cn] of table) {
    const from = gate.logLength();
    await logIn(t, gate, client, { user: 'alice', database: 'trust' });
    t.match(await gate.waitForLog({ msg: /^SSL connection from / }, { from }), {
      level: 'debug',
      msg: `SSL connection from DN:"${dn}" CN:"${cn}"`,
    });
  }
  await assertOneEndingEach(t, gate);
});

await test('a cancel request asks no line, and is not taken from a certificate that does not verify', async (t) => {
  const authority = testAuthority(t);
  const upstream = await scriptedUpstream(t, async (connection) => {
    if (connection.index === 0) await scripts.trust(connection);
    else {
      await connection.readCancelRequest();
      connection.halfClose();
    }
  });
  const gate = await startGate(t, { hba, upstream, authority, config: { log_level: 'debug' } });
  const { answer } = await logIn(t, gate, authority.client('alice'), { user: 'alice', database: 'cert' });
  const { pid, key } = answer.key!;
  const request = cancelRequest(pid, key);
  const table: [client: Client | null, code: string, forwarded: boolean][] = [
    [null, 'cancel-request', true],
    [authority.client('bob'), 'cancel-request', true],
    [testAuthority(t).client('alice'), 'client-cert-untrusted', false],
    [authority.client('alice', { expired: true }), 'client-cert-expired', false],
    [authority.client('alice\0'), 'client-cert-nul-in-name', false],
  ];
  for (const [client, code, forwarded] of table) {
    const before = upstream.connections.length;
    const visitor = await visit(t, gate);
    await visitor.openTls({ ...TLS, ...(client === null ? {} : { cert: client.cert, key: client.key }) });
    await visitor.send(request);
    await visitor.closed;
    t.equal(visitor.received.toString('latin1'), 'S', `${code}: not a byte`);
    t.match(await visitor.ending(), { code });
    t.equal(upstream.connections.length - before, forwarded ? 1 : 0, code);
  }
  await assertOneEndingEach(t, gate);
});
