// Every error text of loading, in PostgreSQL's order (semantics §2.2), at the line of the YAML file that names the
// file, or at the file itself where the setting is a default.

import type { TlsSettings } from '../../src/tls/settings.ts';
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { test } from 'tap';
import { testAuthority, type Credentials, type TestAuthority } from '../support/certificates/certificates.ts';
import { loadingProblem, loadingProblems, tlsSettings, YAML_FILE } from '../support/certificates/tls.ts';
import { check } from '../support/run/check.ts';

interface Case {
  readonly settings: (authority: TestAuthority, server: Credentials) => Partial<TlsSettings>;
  /** The setting that is to blame. */
  readonly key: string;
  /** `DIR` stands for the directory of the files. */
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
}

const GROUPS_HINT =
  'Ensure that each group name is spelled correctly and supported by the installed version of OpenSSL.';

const OTHER_KEY = 'The key belongs to none of the certificates in "ssl_cert_file".';

/** In PostgreSQL's order: each case also has what the ones after it complain of. */
const cases: readonly Case[] = [
  {
    key: 'ssl_cert_file',
    settings: () => ({ ssl_cert_file: '/nowhere/server.crt' }),
    message: 'could not load server certificate file "/nowhere/server.crt": No such file or directory',
    hint: 'For a first try: pg-gatehouse pki init --dir /nowhere && pg-gatehouse pki server --dir /nowhere',
  },
  {
    key: 'ssl_cert_file',
    settings: ({ directory }) => ({ ssl_cert_file: directory }),
    message: 'could not load server certificate file "DIR": Is a directory',
  },
  {
    key: 'ssl_cert_file',
    settings: (_, server) => ({ ssl_cert_file: server.keyFile }),
    message: 'could not load server certificate file "DIR/server-1.key": no start line',
    hint: 'The file holds a private key and no certificate: certificate and key are perhaps swapped.',
  },
  {
    key: 'ssl_cert_file',
    settings: (authority, { cert }) => ({
      ssl_cert_file: authority.write('a.crt', cert.replace(/[ab]/g, '!')),
    }),
    message: 'could not load server certificate file "DIR/a.crt": bad base64 decode',
  },
  {
    key: 'ssl_key_file',
    settings: () => ({ ssl_key_file: '/nowhere/server.key' }),
    message: 'could not access private key file "/nowhere/server.key": No such file or directory',
  },
  {
    key: 'ssl_key_file',
    settings: ({ directory }) => ({ ssl_key_file: directory }),
    message: 'private key file "DIR" is not a regular file',
  },
  {
    key: 'ssl_key_file',
    settings: (authority) => ({ ssl_key_file: authority.write('open.key', 'no key either') }),
    message: 'private key file "DIR/open.key" has group or world access',
    hint: `The gate runs as user "${userInfo().username}" (uid ${process.geteuid?.()}): let the file belong to it, with mode 0600 (chmod 0600 "DIR/open.key").`,
    detail:
      'File must have permissions u=rw (0600) or less if owned by the database user, or permissions u=rw,g=r (0640) or less if owned by root.',
  },
  {
    key: 'ssl_key_file',
    settings: ({ directory }) => ({ ssl_key_file: secret(`${directory}/junk.key`, 'junk') }),
    message: 'could not load private key file "DIR/junk.key": unsupported',
  },
  {
    key: 'ssl_key_file',
    settings: (authority) => ({ ssl_key_file: authority.server().keyFile }),
    message: 'could not load private key file "DIR/server-2.key": key values mismatch',
    hint: OTHER_KEY,
  },
  {
    key: 'ssl_key_file',
    settings: (authority) => ({ ssl_key_file: authority.server({ keyType: 'rsa' }).keyFile }),
    message: 'check of private key failed: no certificate assigned',
    hint: OTHER_KEY,
  },
  {
    key: 'ssl_min_protocol_version',
    settings: () => ({ ssl_min_protocol_version: 'TLSv1.3', ssl_max_protocol_version: 'TLSv1.2' }),
    message: 'could not set SSL protocol version range',
    detail: '"ssl_min_protocol_version" cannot be higher than "ssl_max_protocol_version"',
  },
  {
    key: 'ssl_dh_params_file',
    settings: () => ({ ssl_dh_params_file: '/nowhere/dh.pem' }),
    message: 'could not open DH parameters file "/nowhere/dh.pem": No such file or directory',
  },
  {
    key: 'ssl_groups',
    settings: () => ({ ssl_groups: 'X25519:nosuch' }),
    message: 'could not set group names specified in ssl_groups: No valid groups found',
    hint: GROUPS_HINT,
  },
  {
    // What Node would take for "any".
    key: 'ssl_groups',
    settings: () => ({ ssl_groups: 'auto' }),
    message: 'could not set group names specified in ssl_groups: No valid groups found',
    hint: GROUPS_HINT,
  },
  {
    key: 'ssl_groups',
    settings: () => ({ ssl_groups: '' }),
    message: 'could not set group names specified in ssl_groups: No valid groups found',
    hint: GROUPS_HINT,
  },
  ...['', 'NOSUCH', 'ALL:!ALL', 'TLS_AES_128_GCM_SHA256', ':', 'HIGH:@SECLEVEL=9'].map((ciphers) => ({
    key: 'ssl_ciphers',
    settings: () => ({ ssl_ciphers: ciphers }),
    message: 'could not set the TLSv1.2 cipher list (no valid ciphers available)',
  })),
  ...['HIGH', 'TLS_NOSUCH', 'ECDHE-RSA-AES128-GCM-SHA256', '!TLS_AES_128_GCM_SHA256', ' '].map(
    (tls13Ciphers) => ({
      key: 'ssl_tls13_ciphers',
      settings: () => ({ ssl_tls13_ciphers: tls13Ciphers }),
      message: 'could not set the TLSv1.3 cipher suites (no valid ciphers available)',
    }),
  ),
  {
    key: 'ssl_ca_file',
    settings: () => ({ ssl_ca_file: '/nowhere/ca.crt' }),
    message: 'could not load root certificate file "/nowhere/ca.crt": No such file or directory',
  },
  {
    key: 'ssl_ca_file',
    settings: (authority) => ({ ssl_ca_file: authority.write('empty.crt', '') }),
    message: 'could not load root certificate file "DIR/empty.crt": no certificate or crl found',
    hint: 'The file is empty.',
  },
  {
    // Node would take the good half, and no client of the other CA would get in.
    key: 'ssl_ca_file',
    settings: (authority) => ({
      ssl_ca_file: authority.write('half.crt', authority.cert + authority.cert.replace(/[ab]/g, '!')),
    }),
    message: 'could not load root certificate file "DIR/half.crt": bad base64 decode',
  },
  {
    key: 'ssl_ca_file',
    settings: (authority) => ({
      ssl_ca_file: authority.write('cut.crt', authority.cert + authority.cert.replace(/-----END[^]*/, '')),
    }),
    message: 'could not load root certificate file "DIR/cut.crt": bad end line',
  },
  {
    key: 'ssl_crl_file',
    settings: () => ({ ssl_crl_file: '/nowhere/ca.crl' }),
    message:
      'could not load SSL certificate revocation list file "/nowhere/ca.crl": No such file or directory',
  },
  {
    key: 'ssl_crl_dir',
    settings: () => ({ ssl_crl_dir: '/nowhere/crls' }),
    message:
      'could not load SSL certificate revocation list directory "/nowhere/crls": No such file or directory',
  },
  {
    key: 'ssl_crl_file',
    settings: ({ directory }) => ({ ssl_crl_file: '/nowhere/ca.crl', ssl_crl_dir: directory }),
    message:
      'could not load SSL certificate revocation list file "/nowhere/ca.crl" or directory "DIR": No such file or directory',
  },
  {
    key: 'ssl_crl_dir',
    settings: (authority) => ({
      ssl_crl_file: authority.write('ca.crl', authority.crl()),
      ssl_crl_dir: '/nowhere/crls',
    }),
    message:
      'could not load SSL certificate revocation list file "DIR/ca.crl" or directory "/nowhere/crls": No such file or directory',
  },
];

await test('each thing that can be wrong', async (t) => {
  for (const { key, settings, message, detail, hint } of cases) {
    const authority = testAuthority(t);
    const server = authority.server();
    const tls = tlsSettings(server, settings(authority, server));
    const expected = {
      line: 7,
      file: YAML_FILE,
      message: message.replaceAll('DIR', authority.directory),
      ...(detail === undefined ? {} : { detail }),
      ...(hint === undefined ? {} : { hint: hint.replaceAll('DIR', authority.directory) }),
    };
    t.strictSame(await loadingProblem(tls, { lines: { [key]: 7 } }), expected, message);
  }
});

await test('a file that a default names is blamed itself', async (t) => {
  const server = testAuthority(t).server();
  const missing = await loadingProblem(tlsSettings(server, { ssl_cert_file: '/nowhere/server.crt' }));
  t.match(missing, { file: '/nowhere/server.crt', line: null });
  const groups = await loadingProblem(tlsSettings(server, { ssl_groups: 'x' }));
  t.match(groups, { file: YAML_FILE, line: null });
});

await test('ssl_ecdh_curve, the older name, is blamed where it stands', async (t) => {
  const { lines } = await check(t, { hba: 'hostssl all all all cert', config: { ssl_ecdh_curve: 'x' } });
  t.match(lines[0], /^gatehouse\.yaml:\d+: could not set group names specified in ssl_groups: /);
});

await test("of several errors PostgreSQL's is told first", async (t) => {
  const authority = testAuthority(t);
  const broken: Partial<TlsSettings>[] = [
    { ssl_cert_file: '/nowhere/server.crt' },
    { ssl_key_file: '/nowhere/server.key' },
    { ssl_min_protocol_version: 'TLSv1.3', ssl_max_protocol_version: 'TLSv1' },
    { ssl_dh_params_file: '/nowhere/dh.pem' },
    { ssl_groups: 'x' },
    { ssl_ciphers: 'x' },
    { ssl_tls13_ciphers: 'x' },
    { ssl_ca_file: '/nowhere/ca.crt' },
    { ssl_crl_file: '/nowhere/ca.crl' },
  ];
  const told: string[] = [];
  for (let repaired = 0; repaired < broken.length; repaired += 1) {
    const settings: Partial<TlsSettings> = Object.assign({}, ...broken.slice(repaired));
    const [first] = await loadingProblems(tlsSettings(authority.server(), settings));
    told.push(first!.message.replace(/["(:].*/, '').trim());
  }
  t.strictSame(told, [
    'could not load server certificate file',
    'could not access private key file',
    'could not set SSL protocol version range',
    'could not open DH parameters file',
    'could not set group names specified in ssl_groups',
    'could not set the TLSv1.2 cipher list',
    'could not set the TLSv1.3 cipher suites',
    'could not load root certificate file',
    'could not load SSL certificate revocation list file',
  ]);
});

await test('what is wrong in files of several kinds is told at once', async (t) => {
  const problems = await loadingProblems(
    tlsSettings(testAuthority(t).server(), {
      ssl_cert_file: '/nowhere/server.crt',
      ssl_ca_file: '/nowhere/ca.crt',
      ssl_crl_file: '/nowhere/ca.crl',
    }),
  );
  t.strictSame(
    problems.map(({ file }) => file),
    ['/nowhere/server.crt', '/nowhere/ca.crt', '/nowhere/ca.crl'],
  );
});

function secret(path: string, content: string): string {
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}
