// The cases of PostgreSQL 19's test 004_sni, one by one, with psql (contract §11, sni.md §2.6): one gate, whose
// pg_hosts.conf each case writes anew and reloads. What PostgreSQL refuses a restart for, `check` refuses.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { test } from 'tap';
import { testAuthority, type Credentials, type TestAuthority } from '../support/certificates/certificates.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { psql } from '../support/peers/psql.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { runProgram } from '../support/run/program.ts';
import type { Scope } from '../support/run/scope.ts';
import { needs } from '../support/run/tools.ts';
import { answering, reloaded } from '../production/clients.ts';

const HBA = 'hostssl all certified all trust clientcert=verify-ca\nhostssl all all all trust\n';
const PASSPHRASE = 'FooBaR1';

/** A gate whose default certificate is of one authority, and two hosts of two others. */
async function setUp(t: Scope) {
  const [main, org, com] = [
    testAuthority(t),
    testAuthority(t, { cn: 'Org CA' }),
    testAuthority(t, { cn: 'Com CA' }),
  ];
  const gate = await startGate(t, {
    authority: main,
    hba: HBA,
    upstream: await scriptedUpstream(t, answering),
    config: { ssl_sni: 'off', ssl_ca_file: null, reload: { watch: 'off' } },
    // Broken, and not read while ssl_sni is off.
    files: { 'pg_hosts.conf': '/no_sni/ a b c d e f g\n' },
  });
  return { main, org, com, gate, hosts: { org: org.server(), com: com.server() } };
}

type World = Awaited<ReturnType<typeof setUp>>;

const yaml = (gate: Gate, more: Readonly<Record<string, unknown>>): string =>
  stringify({
    listen_addresses: '127.0.0.1',
    port: 0,
    upstream: { host: '127.0.0.1', port: upstreamPort(gate) },
    admin: { listen: '127.0.0.1:0' },
    reload: { watch: 'off' },
    ...more,
  });

function upstreamPort(gate: Gate): number {
  const [, upstream = ''] = readFileSync(gate.path('gatehouse.yaml'), 'utf8').split('upstream:');
  return Number(/port: (\d+)/.exec(upstream)?.[1]);
}

/** psql with this host name, trusting this authority alone; what it says when it fails, else ''. */
async function connect(
  { gate }: Pick<World, 'gate'>,
  host: string,
  trusting: TestAuthority,
  options: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { code, stderr } = await psql(
    {
      host,
      hostaddr: '127.0.0.1',
      port: gate.port,
      user: 'alice',
      dbname: 'postgres',
      sslmode: 'verify-ca',
      sslrootcert: trusting.caFile,
      ...options,
    },
    ['-c', String.raw`\q`],
    { libpq: 18 },
  );
  return code === 0 ? '' : stderr;
}

const line = (names: string, { certFile, keyFile }: Credentials, ...more: readonly string[]): string =>
  `${[names, certFile, keyFile, ...more].join(' ')}\n`;

/** Writes pg_hosts.conf and reloads; the messages of what is wrong. */
async function rewrite(gate: Gate, content: string): Promise<readonly string[]> {
  gate.rewrite('pg_hosts.conf', content);
  return messages(await reloaded(gate));
}

function messages({ errors = [] }: Awaited<ReturnType<typeof reloaded>>): readonly string[] {
  return errors.map((error) => String(Reflect.get(Object(error), 'message')));
}

await test('ssl_sni and pg_hosts.conf', needs('psql', 'openssl'), async (t) => {
  const world = await setUp(t);
  const { main, org, com, gate, hosts } = world;
  const WRONG = /certificate verify failed/;

  t.equal(await connect(world, 'example.org', main), '', 'off: the ssl_* settings serve every name');
  t.match(await connect(world, 'example.org', org), WRONG);

  rmSync(gate.path('pg_hosts.conf'));
  gate.rewrite('gatehouse.yaml', yaml(gate, { ssl_sni: 'on' }));
  t.strictSame(messages(await reloaded(gate)), []);
  // A missing file is in the log, which may come after the reload's answer.
  const missing = `could not open file "${gate.path('pg_hosts.conf')}": No such file or directory`;
  await gate.waitForLog(({ msg }) => msg.endsWith(missing));
  t.equal(
    await connect(world, 'example.org', main),
    '',
    'a missing file: the ssl_* settings are the default host',
  );
  t.equal(await connect(world, 'example.org', main, { sslsni: '0' }), '');
  t.strictSame(await rewrite(gate, '# nothing\n\n'), []);
  t.equal(await connect(world, 'example.org', main), '', 'an empty one, too');

  t.strictSame(await rewrite(gate, line('*', hosts.org)), []);
  t.equal(await connect(world, 'anything.example', org), '', '* is the default');
  t.equal(await connect(world, 'anything.example', org, { sslsni: '0' }), '', 'without a name too');

  t.strictSame(await rewrite(gate, line('*', hosts.com) + line('example.org', hosts.org)), []);
  t.equal(await connect(world, 'example.org', org), '', 'a line of its own');
  t.equal(await connect(world, 'Example.ORG', org), '', 'whatever the case of its letters');
  t.equal(await connect(world, 'example.com', com), '', 'the others have the default');

  t.strictSame(await rewrite(gate, line('example.org,example.com, example.net', hosts.org)), []);
  for (const name of ['example.org', 'example.com', 'example.net']) {
    t.equal(await connect(world, name, org), '', `a list: ${name}`);
  }
  writeFileSync(gate.path('hostnames.txt'), 'example.org\nexample.com\n');
  t.strictSame(await rewrite(gate, line('@hostnames.txt', hosts.com)), []);
  for (const name of ['example.org', 'example.com'])
    t.equal(await connect(world, name, com), '', `@file: ${name}`);

  t.match(await connect(world, 'example.net', com), /unrecognized name/, 'an unknown host');
  t.match(await gate.waitForLog({ code: 'tls-unrecognized-name' }), {
    msg: 'could not accept SSL connection: callback failed',
    sni: 'example.net',
  });
  t.match(
    await connect(world, 'example.org', com, { sslsni: '0' }),
    /handshake failure/,
    'no name, no line for it, no default',
  );
  t.match(await gate.waitForLog(({ detail }) => detail?.startsWith('no hostname') === true), {
    msg: 'could not accept SSL connection: callback failed',
    detail: 'no hostname provided in callback, and no fallback configured',
  });

  t.strictSame(await rewrite(gate, line('/no_sni/', hosts.com)), []);
  t.equal(
    await connect(world, 'example.org', com, { sslsni: '0' }),
    '',
    '/no_sni/ is for those without a name',
  );
  t.match(await connect(world, 'example.org', com), /unrecognized name/, 'and never for others');
});

await test('lines that PostgreSQL refuses', async (t) => {
  const { gate, hosts } = await setUp(t);
  gate.rewrite('gatehouse.yaml', yaml(gate, { ssl_sni: 'on' }));
  t.strictSame(await rewrite(gate, line('good.example', hosts.org)), []);
  const file = gate.path('pg_hosts.conf');
  const { org } = hosts;
  const table: readonly (readonly [content: string, ...messages: string[]])[] = [
    [line('*,example.org', org), 'default and non-SNI entries cannot be mixed with other entries'],
    [line('a,/no_sni/', org), 'default and non-SNI entries cannot be mixed with other entries'],
    [line('*', org) + line('*', org), 'multiple default hosts specified'],
    [line('/no_sni/', org) + line('"/no_sni/"', org), 'multiple no_sni hosts specified'],
    [line('a.example', org) + line('a.example', org), 'multiple entries for host "a.example" specified'],
    [line('a.example,b.example,A.Example', org), 'multiple entries for host "A.Example" specified'],
    ['a.example\n', 'missing entry at end of line'],
    [`a.example, ${org.certFile} ${org.keyFile}\n`, 'missing entry at end of line'],
    [`a ${org.certFile},x ${org.keyFile}\n`, 'multiple values specified for SSL certificate'],
    [`a ${org.certFile} ${org.keyFile},x\n`, 'multiple values specified for SSL key'],
    [line('a', org, 'x,y'), 'multiple values specified for SSL CA'],
    [line('a', org, '""', 'x,y'), 'multiple values specified for SSL passphrase command'],
    [line('a', org, '""', '""', 'on', 'trailing'), 'extra fields at end of line'],
    [line('a', org, '""', '""', 'notabool'), 'incorrect syntax for boolean value SSL_passphrase_cmd_reload'],
    [line('a', org, '""', '""', 'on,on'), 'incorrect syntax for boolean value SSL_passphrase_cmd_reload'],
    [`a\nb\n`, 'missing entry at end of line', 'missing entry at end of line'],
  ];
  for (const [content, ...expected] of table) {
    const summary = `could not load "${file}": loading config from "${file}" failed due to parsing error`;
    t.strictSame(await rewrite(gate, content), [...expected, summary], content);
  }
  await gate.waitForLog({ msg: 'SSL configuration was not reloaded' });
  const { code, stdout } = await runProgram(['check', '--config', gate.path('gatehouse.yaml')]);
  t.equal(code, 1, 'a start is refused');
  t.match(stdout, `${file}:1: missing entry at end of line`);
  t.match(stdout, `${file}:2: missing entry at end of line`);
  const missing = gate.path('nowhere.crt');
  t.strictSame(await rewrite(gate, `\na nowhere.crt ${org.keyFile}\n`), [
    `could not load server certificate file "${missing}": No such file or directory`,
  ]);
  chmodSync(org.keyFile, 0o644);
  t.strictSame(await rewrite(gate, line('a', org)), [
    `private key file "${org.keyFile}" has group or world access`,
  ]);
  chmodSync(org.keyFile, 0o600);
  t.strictSame(await rewrite(gate, line('a', { ...org, keyFile: hosts.com.keyFile })), [
    `could not load private key file "${hosts.com.keyFile}": key values mismatch`,
  ]);
  const { body } = await gate.admin('/certificates');
  const rows: { host: string | null; role: string }[] = JSON.parse(body).certificates;
  t.strictSame(
    rows.map(({ host, role }) => `${role} ${host}`),
    ['server good.example'],
    'the hosts before all of this are in force',
  );
});

await test('a key with a passphrase', needs('psql', 'openssl'), async (t) => {
  const world = await setUp(t);
  const { gate, org, hosts } = world;
  const keyFile = gate.path('encrypted.key');
  execFileSync('openssl', [
    'pkey',
    '-in',
    hosts.org.keyFile,
    '-aes256',
    '-passout',
    `pass:${PASSPHRASE}`,
    '-out',
    keyFile,
  ]);
  chmodSync(keyFile, 0o600);
  const encrypted = { ...hosts.org, keyFile };
  // Beside a command for the ssl_* settings, which no line inherits.
  gate.rewrite('gatehouse.yaml', yaml(gate, { ssl_sni: 'on', ssl_passphrase_command: `echo ${PASSPHRASE}` }));
  t.match(await rewrite(gate, line('example.org', encrypted, '""', '"echo wrong"', 'on')), [
    /^could not load private key file ".*": bad decrypt$/,
  ]);
  t.strictSame(await rewrite(gate, line('example.org', encrypted, '""', `"echo ${PASSPHRASE}"`, 'on')), []);
  for (const round of [1, 2]) {
    t.strictSame(messages(await reloaded(gate)), [], `reload ${round}`);
    t.equal(await connect(world, 'example.org', org), '', `after reload ${round}`);
  }
  const refused = [`private key file "${keyFile}" cannot be reloaded because it requires a passphrase`];
  t.strictSame(
    await rewrite(gate, line('example.org', encrypted, '""', `"echo ${PASSPHRASE}"`, 'off')),
    refused,
  );
  t.strictSame(await rewrite(gate, line('example.org', encrypted, '""', `"echo ${PASSPHRASE}"`)), refused);
  t.strictSame(await rewrite(gate, line('example.org', encrypted)), refused);
  t.equal(await connect(world, 'example.org', org), '', 'the old material goes on');
  t.notMatch(gate.stdout, PASSPHRASE, 'the passphrase is in no log line');
});

await test('a CA for each host', needs('psql', 'openssl'), async (t) => {
  const world = await setUp(t);
  const { gate, main, org, com, hosts } = world;
  gate.rewrite('gatehouse.yaml', yaml(gate, { ssl_sni: 'on', ssl_ca_file: main.caFile }));
  const [ofOrg, ofCom] = [org.client('certified'), com.client('certified')];
  const content =
    line('org.example', hosts.org, org.caFile) +
    line('com.example', hosts.org, com.caFile) +
    line('*', hosts.org);
  t.strictSame(await rewrite(gate, content), []);
  const as = (host: string, certificate: Credentials | null) =>
    connect(world, host, org, {
      user: 'certified',
      ...(certificate === null
        ? { sslcert: '/nowhere' }
        : { sslcert: certificate.certFile, sslkey: certificate.keyFile }),
    });
  t.equal(await as('org.example', ofOrg), '', 'of its own CA');
  t.equal(await as('com.example', ofCom), '');
  t.match(await as('org.example', null), /FATAL: {2}connection requires a valid client certificate/);
  t.match(
    await as('org.example', ofCom),
    /FATAL: {2}client certificate verification failed: unable to verify the first certificate/,
    "of another host's CA",
  );
  const NO_STORE =
    /FATAL: {2}client certificates can only be checked if a root certificate store is available/;
  const from = gate.logLength();
  t.match(await as('other.example', ofOrg), NO_STORE, 'a host without a CA, whatever ssl_ca_file says');
  await gate.waitForLog({ code: 'client-cert-no-root' }, { from });
  t.match(await as('other.example', null), NO_STORE);
  const asked = (name: string): string =>
    execFileSync(
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${gate.port}`, '-starttls', 'postgres', '-servername', name],
      {
        input: '',
        stdio: ['pipe', 'pipe', 'ignore'],
        encoding: 'utf8',
      },
    );
  t.match(asked('other.example'), /No client certificate CA names sent/);
  t.match(
    asked('org.example'),
    /Acceptable client certificate CA names\n.*Org CA\n(?!.*Com CA)/,
    'its own CA alone',
  );

  const directory = join(gate.directory, 'lists');
  mkdirSync(directory);
  writeFileSync(join(directory, org.crlName), org.crl({ revoked: [ofOrg] }));
  writeFileSync(join(directory, com.crlName), com.crl());
  gate.rewrite('gatehouse.yaml', yaml(gate, { ssl_sni: 'on', ssl_crl_dir: 'lists' }));
  t.strictSame(messages(await reloaded(gate)), []);
  t.match(await as('org.example', ofOrg), /certificate revoked/, 'the lists count for every host');
  t.equal(await as('com.example', ofCom), '');
});
