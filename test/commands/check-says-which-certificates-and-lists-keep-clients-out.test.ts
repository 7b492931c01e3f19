// TLS files that load and keep clients out: a CA file that is not a CA, a server certificate that clients refuse, an
// expired one, a list that is out of force.

import { test } from 'tap';
import { check, warningsIn, type Checked } from '../support/run/check.ts';
import { testAuthority, type TestAuthority } from '../support/certificates/certificates.ts';

const HBA = 'hostssl all all 10.0.0.0/8 cert';
const NONE = ': ok';

await test('what is wrong with a certificate', async (t) => {
  const table: Record<string, [given: (authority: TestAuthority) => Checked, said: string]> = {
    'all is well': [() => ({ hba: HBA }), NONE],
    'a leaf as ssl_ca_file': [
      (authority) => ({ hba: HBA, files: { 'ca.crt': authority.client('alice').cert } }),
      'ca.crt certificate "CN=alice" of "ssl_ca_file" is not a certificate authority, so it vouches for nobody',
    ],
    'a server certificate for clients': [
      (authority) => ({ hba: HBA, server: authority.server({ extendedKeyUsage: ['clientAuth'] }) }),
      'server.crt clients that verify refuse the server certificate: its extendedKeyUsage lacks serverAuth',
    ],
    'one without names': [
      (authority) => ({ hba: HBA, server: authority.server({ san: {} }) }),
      'server.crt the server certificate names no host in subjectAltName: libpq looks at its common name, other clients refuse it',
    ],
    'root and server certificate of one subject': [
      () => {
        const root = testAuthority(t, { cn: 'db.example.com' });
        return {
          hba: HBA,
          server: root.server({ dn: [{ CN: 'db.example.com' }] }),
          files: { 'ca.crt': root.cert },
        };
      },
      'server.crt clients that verify refuse the server certificate: it has the same name as its issuer, so it is taken for self-signed',
    ],
    'another issuer than the next certificate': [
      (authority) => {
        const server = authority.server();
        return {
          hba: HBA,
          server: { ...server, cert: server.cert + testAuthority(t, { cn: 'Other' }).cert },
        };
      },
      'server.crt the second certificate of the file did not issue the first, so clients may find no way to their root',
    ],
    'lists without hash names': [
      (authority) => ({
        hba: HBA,
        config: { ssl_crl_dir: '.' },
        files: { 'ca.crl': authority.crl() },
      }),
      'no file of this directory has the name by which OpenSSL looks for revocation lists',
    ],
  };
  const names = Object.keys(table);
  const found = await Promise.all(names.map(async (name) => await check(t, table[name]![0])));
  for (const [index, name] of names.entries()) {
    const { lines } = found[index]!;
    const { [name]: [, said] = [] } = table;
    if (said === NONE) t.strictSame(warningsIn(lines), [], name);
    else
      t.ok(
        warningsIn(lines).some((line) => line.endsWith(said!)),
        `${name}\n${lines.join('\n')}`,
      );
  }
});

const expired = (authority: TestAuthority): Checked => ({
  hba: HBA,
  server: authority.server({ expired: true }),
});

const goodList = (authority: TestAuthority): Checked => ({
  hba: HBA,
  config: { ssl_crl_file: 'ca.crl' },
  files: { 'ca.crl': authority.crl() },
});

await test('what refuses everybody is an error', async (t) => {
  const day = 86_400_000;
  const oldList = (authority: TestAuthority): Checked => {
    const list = authority.crl({
      thisUpdate: new Date(Date.now() - 3 * day),
      nextUpdate: new Date(Date.now() - day),
    });
    return { hba: HBA, config: { ssl_crl_file: 'ca.crl' }, files: { 'ca.crl': list } };
  };
  const otherList = (): Checked => {
    const list = testAuthority(t, { cn: 'Other' }).crl();
    return { hba: HBA, config: { ssl_crl_file: 'ca.crl' }, files: { 'ca.crl': list } };
  };
  const [server, old, other, good] = await Promise.all(
    [expired, oldList, otherList, goodList].map(async (given) => await check(t, given)),
  );
  t.equal(server!.code, 1);
  t.match(server!.lines[0], /^server\.crt: server certificate "\/CN=localhost" has expired on /);
  t.equal(old!.code, 1);
  t.match(
    old!.lines[0],
    /^ca\.crl: every client is refused: the certificate revocation list of ".*" is not in force$/,
  );
  t.equal(other!.code, 1);
  t.match(other!.lines[0], /^ca\.crl: every client is refused: there is no certificate revocation list of /);
  t.equal(good!.code, 0, good!.lines.join('\n'));
});
