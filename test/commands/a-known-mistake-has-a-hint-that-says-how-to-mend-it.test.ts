// Known mistakes, each through the real `check`: PostgreSQL's message unchanged, and a hint after it, in text and JSON.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { check, type Checked } from '../support/run/check.ts';
import { testAuthority, type TestAuthority } from '../support/certificates/certificates.ts';
import { runProgram } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

type Table = Record<string, [given: (authority: TestAuthority) => Checked, message: string, hint: RegExp]>;

const line = (hba: string) => (): Checked => ({ hba });
const HBA = 'hostssl all all all cert';

const tables: Record<string, Table> = {
  'lines of pg_hba.conf': {
    'a type in capitals': [
      line('HOSTSSL all all all cert'),
      'invalid connection type "HOSTSSL"',
      /write it in lower case: hostssl/i,
    ],
    'a type mistyped': [
      line('hosssl all all all cert'),
      'invalid connection type "hosssl"',
      /perhaps you meant hostssl/i,
    ],
    'a method mistyped': [
      line('hostssl all all all scram-sha256'),
      'invalid authentication method "scram-sha256"',
      /meant scram-sha-256/,
    ],
    'a method in capitals': [
      line('hostssl all all all MD5'),
      'invalid authentication method "MD5"',
      /meant md5/,
    ],
    'allow and deny': [
      line('hostssl all all all deny'),
      'invalid authentication method "deny"',
      /meant reject/,
    ],
    'an address on a local line': [
      line('local all all 127.0.0.1/32 trust'),
      'invalid authentication method "127.0.0.1/32"',
      /A local line has no address/,
    ],
    'clientcert=1': [
      line('hostssl all all all md5 clientcert=1'),
      'invalid value for clientcert: "1"',
      /clientcert=verify-ca, or clientcert=verify-full/,
    ],
    'an address without a mask': [
      line('hostssl all all 10.0.0.5 cert'),
      'invalid IP mask "cert": Name or service not known',
      /Write 10\.0\.0\.5\/32 /,
    ],
    'an IPv6 address without a mask': [
      line('hostssl all all fd00::5 cert'),
      'invalid IP mask "cert": Name or service not known',
      /Write fd00::5\/128 /,
    ],
    'cert without TLS': [
      line('host all all all cert'),
      'cert authentication is only supported on hostssl connections',
      /Write hostssl/,
    ],
    'a no-break space': [
      line('hostssl all\u00a0all all cert'),
      'end-of-line before authentication method',
      /U\+00A0/,
    ],
    'a byte order mark': [
      line('\ufeffhostssl all all all cert'),
      'invalid connection type "\ufeffhostssl"',
      /byte order mark \(U\+FEFF\)/,
    ],
    'a typographic quote': [line('hostssl \u201call users\u201d all all cert'), '', /U\+201C/],
    'a method mistyped, and an apostrophe in the comment': [
      line('hostssl all all all scram-sha256 # l\u2019équipe'),
      'invalid authentication method "scram-sha256"',
      /meant scram-sha-256/,
    ],
    'a method mistyped, and an apostrophe in a name': [
      line('hostssl all "l\u2019équipe" all scram-sha256'),
      'invalid authentication method "scram-sha256"',
      /meant scram-sha-256/,
    ],
    'a no-break space in the quotes of the word at fault': [
      line('hostssl all all all "md5\u00a0"'),
      'invalid authentication method "md5\u00a0"',
      /U\+00A0/,
    ],
    'ident sameuser': [
      line('host all all all ident sameuser'),
      'authentication option not in name=value format: sameuser',
      /Leave sameuser out/,
    ],
  },
  'gatehouse.yaml': {
    'an asterisk': [
      () => ({ hba: HBA, files: { 'gatehouse.yaml': 'listen_addresses: *\n' } }),
      '',
      /in quotes: '\*'/,
    ],
    'an asterisk, and an apostrophe in the comment': [
      () => ({ hba: HBA, files: { 'gatehouse.yaml': 'listen_addresses: * # l\u2019équipe\n' } }),
      '',
      /in quotes: '\*'/,
    ],
    'a postgresql.conf': [
      () => ({
        hba: HBA,
        files: { 'gatehouse.yaml': "# c\nport = 1\nssl = on # x\nlisten_addresses = '*'\n" },
      }),
      '',
      /A line of postgresql\.conf\?.*migrate --conf/,
    ],
    'lines of both': [
      () => ({ hba: HBA, files: { 'gatehouse.yaml': 'port: 1\nssl = on\nworkers: 1\n' } }),
      '',
      /"ssl: VALUE"/,
    ],
    'a no-break space': [
      () => ({ hba: HBA, files: { 'gatehouse.yaml': 'port:\u00a05432\n' } }),
      'the file must be a map of settings',
      /U\+00A0/,
    ],
    'a tab': [
      () => ({ hba: HBA, files: { 'gatehouse.yaml': 'upstream:\n\tport: 1\n' } }),
      'Tabs are not allowed as indentation',
      /Indent with spaces/,
    ],
  },
  'certificates and keys': {
    'an empty file': [
      (authority) => ({ hba: HBA, server: { ...authority.server(), cert: '' } }),
      'could not load server certificate file',
      /The file is empty/,
    ],
    'certificate and key swapped': [
      (authority) => {
        const server = authority.server();
        return { hba: HBA, server: { ...server, cert: server.key, key: server.cert } };
      },
      'could not load server certificate file',
      /certificate and key are perhaps swapped/,
    ],
    'a certificate as the key': [
      (authority) => {
        const server = authority.server();
        return { hba: HBA, server: { ...server, key: server.cert } };
      },
      'could not load private key file',
      /certificate and key are perhaps swapped/,
    ],
    'the CA first': [
      (authority) => {
        const server = authority.server();
        return { hba: HBA, server: { ...server, cert: authority.cert + server.cert } };
      },
      '',
      /belongs to certificate 2 of "ssl_cert_file": put the server certificate first/,
    ],
    'the key of another': [
      (authority) => ({ hba: HBA, server: { ...authority.server(), key: authority.server().key } }),
      '',
      /belongs to none of the certificates/,
    ],
    'a wrong passphrase': [
      (authority) => {
        const server = authority.server();
        const key = createPrivateKey(server.key).export({
          format: 'pem',
          type: 'pkcs8',
          cipher: 'aes-256-cbc',
          passphrase: 'right',
        });
        return {
          hba: HBA,
          server: { ...server, key },
          config: { ssl_passphrase_command: 'echo wrong' },
        };
      },
      'could not load private key file',
      /does not open with the passphrase that "ssl_passphrase_command" prints/,
    ],
    'a key as the CA': [
      (authority) => ({ hba: HBA, files: { 'ca.crt': authority.server().key } }),
      'could not load root certificate file',
      /perhaps swapped/,
    ],
  },
};

for (const [what, table] of Object.entries(tables)) {
  await test(what, async (t) => {
    const names = Object.keys(table);
    const found = await Promise.all(
      names.map(async (name) => {
        const [given] = table[name]!;
        return [await check(t, given), await check(t, given, '--json')] as const;
      }),
    );
    for (const [index, name] of names.entries()) {
      const [, message, hint] = table[name]!;
      const [text, json] = found[index]!;
      t.equal(text.code, 1, name);
      t.ok(text.lines[0]!.includes(message), `${name}: ${text.lines[0]}`);
      t.ok(
        text.lines.some((each) => each.startsWith('  HINT: ') && hint.test(each)),
        `${name}: ${text.lines.join('\n')}`,
      );
      const { errors }: { errors: { hint: string | null }[] } = JSON.parse(json.lines.join('\n'));
      t.ok(
        errors.some((error) => hint.test(error.hint ?? '')),
        `${name} as JSON`,
      );
    }
  });
}

await test('a word that every object has is no known mistake', async (t) => {
  const { lines } = await check(t, { hba: 'hostssl all all all constructor' });
  t.strictSame(lines, ['pg_hba.conf:1: invalid authentication method "constructor"']);
});

/** As Debian writes it: comments between the lines and after them, tabs, quotes. */
const POSTGRESQL_CONF = [
  '# PostgreSQL configuration file',
  "data_directory = '/var/lib/postgresql/15/main'\t\t# use data in another directory",
  "hba_file = '/etc/postgresql/15/main/pg_hba.conf'\t# host-based authentication file",
  '',
  "#listen_addresses = 'localhost'\t\t# what IP address(es) to listen on;",
  'port = 5432\t\t\t\t# (change requires restart)',
  "\t\t\t\t\t# defaults to 'localhost'; use '*' for all",
  'max_wal_size = 1GB',
  'min_wal_size = 80MB',
  "log_line_prefix = '%m [%p] %q%u@%d '\t\t# special values:",
  '\t\t\t\t\t#   %a = application name',
  "include_dir = 'conf.d'\t\t\t# include files ending in '.conf' from",
  '',
];

await test('a whole postgresql.conf is one mistake, not one for each of its lines', async (t) => {
  const { lines, code } = await check(t, {
    hba: HBA,
    files: { 'gatehouse.yaml': POSTGRESQL_CONF.join('\n') },
  });
  t.equal(code, 1);
  t.equal(lines.length, 2, lines.join('\n'));
  t.match(lines[0], /^gatehouse\.yaml:[23]: /);
  t.match(lines[1], /^  HINT: A line of postgresql\.conf\? Here it is "(?:data_directory|hba_file): VALUE"/);
});

await test('DER, and a key that the user of the gate may not read', async (t) => {
  const authority = testAuthority(t);
  const server = authority.server();
  const directory = temporaryDirectory(t);
  const file = join(directory, 'gatehouse.yaml');
  writeFileSync(join(directory, 'pg_hba.conf'), `${HBA}\n`);
  writeFileSync(
    file,
    `ssl_cert_file: server.der\nssl_key_file: ${server.keyFile}\nssl_ca_file: ${authority.caFile}\n`,
  );
  writeFileSync(join(directory, 'server.der'), new X509Certificate(server.cert).raw);
  const der = await runProgram(['check', '--config', file], { via: 'dist' });
  t.match(der.stdout, /HINT: The file is DER, and must be PEM: openssl x509 -inform DER/);
  writeFileSync(
    file,
    `ssl_cert_file: ${server.certFile}\nssl_key_file: server.key\nssl_ca_file: ${authority.caFile}\n`,
  );
  const key = join(directory, 'server.key');
  writeFileSync(key, createPrivateKey(server.key).export({ format: 'der', type: 'pkcs8' }), { mode: 0o600 });
  t.match(
    (await runProgram(['check', '--config', file], { via: 'dist' })).stdout,
    /HINT: The file is DER, and must be PEM: openssl pkey/,
  );
  writeFileSync(key, server.key);
  chmodSync(key, 0o644);
  t.match(
    (await runProgram(['check', '--config', file], { via: 'dist' })).stdout,
    /HINT: The gate runs as .*uid \d+/,
  );
  if (process.getuid?.() === 0) {
    chmodSync(key, 0o600);
    chownSync(key, 12345, 12345);
    const { stdout } = await runProgram(['check', '--config', file], { via: 'dist' });
    t.match(
      stdout,
      /must be owned by the database user or root\n {2}HINT: The gate runs as user "root" \(uid 0\)/,
    );
  }
});
