// What counts as a revocation list that refuses every client (contract §17): one that is missing for the root of every
// chain, at every host that asks for certificates, with no line that admits a client without one.

import { test } from 'tap';
import { testAuthority, type Credentials, type TestAuthority } from '../support/certificates/certificates.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { check } from '../support/run/check.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { clientOfHost, openClient, openSession } from '../session/clients.ts';
import { answering, reloaded } from './clients.ts';

const DAY_MS = 86_400_000;
const days = (count: number): Date => new Date(Date.now() + count * DAY_MS);
const CERT = 'hostssl all all all cert\n';
const ALICE = { user: 'alice' };

const line = (name: string, { certFile, keyFile }: Credentials, ca: TestAuthority): string =>
  `${name} ${certFile} ${keyFile} ${ca.caFile}\n`;

const missing = (whom: string, cn: string): string =>
  `${whom} is refused: there is no certificate revocation list of "/CN=${cn}"`;
const overdue = (whom: string, cn: string): string =>
  `${whom} is refused: the certificate revocation list of "/CN=${cn}" is not in force`;

async function readyz(gate: Gate): Promise<{ readonly status: number; readonly reasons: readonly string[] }> {
  const { status, body } = await gate.admin('/readyz');
  const { reasons }: { reasons: readonly string[] } = JSON.parse(body);
  return { status, reasons };
}

await test('a list of the intermediate alone refuses everybody', async (t) => {
  const root = testAuthority(t, { cn: 'Root CA' });
  const lower = root.intermediate('Lower CA');
  const alice = lower.client('alice');
  const gate = await startGate(t, {
    hba: CERT,
    upstream: await scriptedUpstream(t, answering),
    authority: root,
    config: { ssl_crl_file: 'ca.crl', reload: { watch: 'off' } },
    files: { 'ca.crt': root.cert + lower.cert, 'ca.crl': lower.crl() },
  });
  const { error } = await (await openClient(t, gate, { credentials: alice })).login(ALICE);
  t.match(error?.['M'], /^client certificate verification failed: unable to get certificate CRL/);
  t.strictSame(await readyz(gate), { status: 503, reasons: [missing('every client', 'Root CA')] });
  t.match(await gate.waitForLog({ msg: missing('every client', 'Root CA') }), { level: 'error' });

  gate.rewrite('ca.crl', lower.crl() + root.crl({ thisUpdate: days(-9), nextUpdate: days(-1) }));
  await reloaded(gate);
  t.strictSame(await readyz(gate), { status: 503, reasons: [overdue('every client', 'Root CA')] });

  gate.rewrite('ca.crl', lower.crl() + root.crl());
  await reloaded(gate);
  t.strictSame(await readyz(gate), { status: 200, reasons: [] });
  await openSession(t, gate, { credentials: alice, parameters: ALICE });

  // Of several roots one is enough.
  gate.rewrite('ca.crt', testAuthority(t, { cn: 'Another Root' }).cert + root.cert + lower.cert);
  await reloaded(gate);
  t.strictSame(await readyz(gate), { status: 200, reasons: [] });
});

await test('roots are told apart by their whole names', async (t) => {
  const long = 'x'.repeat(80);
  const root = testAuthority(t, { cn: `Root ${long} CA` });
  const lower = root.intermediate(`Lower ${long} CA`);
  const { lines, code } = await check(t, {
    hba: CERT,
    config: { ssl_crl_file: 'ca.crl' },
    files: { 'ca.crt': root.cert + lower.cert, 'ca.crl': lower.crl() },
  });
  t.equal(code, 1);
  t.match(lines[0], /^ca\.crl: every client is refused: there is no certificate revocation list of /);
});

await test('a list that counts and cannot be described refuses nobody', async (t) => {
  const authority = testAuthority(t);
  const gate = await startGate(t, {
    hba: CERT,
    upstream: await scriptedUpstream(t, answering),
    authority,
    config: { ssl_crl_file: 'ca.crl', reload: { watch: 'off' } },
    files: { 'ca.crl': withLongLength(authority.crl()) },
  });
  await gate.waitForLog({ msg: /^this revocation list counts, but cannot be described: / });
  await openSession(t, gate, { credentials: authority.client('alice'), parameters: ALICE });
  t.strictSame(await readyz(gate), { status: 200, reasons: [] });
  t.equal(gate.log.filter(({ msg }) => msg.startsWith('every client')).length, 0);
});

/** The same list with an octet more in its outer length than DER allows: OpenSSL reads it, and its signature is good. */
function withLongLength(pem: string): string {
  const der = Buffer.from(pem.replaceAll(/-----.*-----|\n/g, ''), 'base64');
  const octets = (der[1] ?? 0) & 0x7f;
  const longer = Buffer.concat([Buffer.of(0x30, 0x80 | (octets + 1), 0), der.subarray(2)]);
  return `-----BEGIN X509 CRL-----\n${longer.toString('base64').replaceAll(/.{1,64}/g, '$&\n')}-----END X509 CRL-----\n`;
}

await test('a host whose clients have no list is told, and the others are served', async (t) => {
  const [org, com] = [testAuthority(t, { cn: 'Org CA' }), testAuthority(t, { cn: 'Com CA' })];
  const free = org.server();
  const hosts =
    line('org.example', org.server(), org) +
    line('com.example', com.server(), com) +
    `free.example ${free.certFile} ${free.keyFile}\n`;
  const files = { 'pg_hosts.conf': hosts, 'ca.crl': org.crl() };
  const config = { ssl_sni: 'on', ssl_ca_file: null, ssl_crl_file: 'ca.crl', reload: { watch: 'off' } };
  const gate = await startGate(t, {
    hba: CERT,
    upstream: await scriptedUpstream(t, answering),
    config,
    files,
  });
  const ofCom = missing('every client of host com.example', 'Com CA');
  t.match(await gate.waitForLog({ msg: ofCom }), { level: 'warn' });
  t.strictSame(await readyz(gate), { status: 200, reasons: [ofCom] });
  const client = await clientOfHost(t, gate, 'org.example', org.client('alice'));
  t.equal((await client.login(ALICE)).error, null);
  const checked = await check(t, { hba: CERT, config, files });
  t.equal(checked.code, 0, checked.lines.join('\n'));

  gate.rewrite('ca.crl', org.crl({ thisUpdate: days(-9), nextUpdate: days(-1) }));
  await reloaded(gate);
  const ofOrg = overdue('every client of host org.example', 'Org CA');
  t.match(await gate.waitForLog({ msg: ofOrg }), { level: 'error' });
  t.strictSame(await readyz(gate), { status: 503, reasons: [ofOrg, ofCom] });
});
