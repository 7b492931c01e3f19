// The pki command as it is typed: the files, their permissions, what it refuses, and a revocation.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import t from 'tap';
import type { Test } from 'tap';
import { registerPki } from '../../src/commands/pki.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { verifiedIdentity } from '../../src/x509/identity.ts';
import { loadLists } from '../support/certificates/tls.ts';

interface Outcome {
  /** Exit status; `usage` where commander objects. */
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `pki ARGUMENTS` in this process. */
async function pki(test: Test, ...args: readonly string[]): Promise<Outcome> {
  const stdout = test.capture(process.stdout, 'write', () => true);
  const stderr = test.capture(process.stderr, 'write', () => true);
  const program = new Command().exitOverride();
  registerPki(program);
  for (const command of program.commands.flatMap((group) => [group, ...group.commands]))
    command.exitOverride();
  const before = process.exitCode;
  try {
    await program.parseAsync(['pki', ...args], { from: 'user' });
    return { status: Number(process.exitCode), stdout: written(stdout()), stderr: written(stderr()) };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { status: 'usage', stdout: written(stdout()), stderr: written(stderr()) };
  } finally {
    process.exitCode = before;
    stdout.restore();
    stderr.restore();
  }
}

function written(calls: readonly { readonly args: readonly unknown[] }[]): string {
  return calls.map(({ args: [text] }) => (typeof text === 'string' ? text : '')).join('');
}

function temporary(test: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-pki-'));
  test.teardown(() => rmSync(directory, { recursive: true }));
  return join(directory, 'pki');
}

const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8);
const certificateOf = (file: string) => new X509Certificate(readFileSync(file));

void t.test('from nothing to a revoked client', async (test) => {
  const dir = temporary(test);
  const file = (name: string) => join(dir, name);

  const made = await pki(test, 'init', '--dir', dir, '--name', 'my CA');
  test.strictSame(made, {
    status: 0,
    stdout: `ssl_ca_file: ${file('ca.crt')}\nssl_crl_file: ${file('ca.crl')}\n`,
    stderr: '',
  });
  test.equal(certificateOf(file('ca.crt')).subject, 'CN=my CA');
  const before = await loadLists({ ssl_crl_file: file('ca.crl') });
  test.equal(before.crls[0]?.revokedSerials.size, 0);

  test.match(await pki(test, 'server', '--dir', dir), {
    status: 0,
    stdout: `ssl_key_file: ${file('server.key')}\n`,
  });
  const server = certificateOf(file('server.crt'));
  for (const host of ['localhost']) test.equal(server.checkHost(host), host);
  for (const address of ['127.0.0.1', '::1']) test.equal(server.checkIP(address), address);

  const issued = await pki(
    test,
    'client',
    'alice',
    '--dir',
    dir,
    '--uri',
    'spiffe://a/b',
    '--email',
    'a@b.example',
  );
  test.match(issued, { status: 0, stdout: `sslcert=${file('alice.crt')}\n` });
  const alice = certificateOf(file('alice.crt'));
  test.ok(alice.verify(certificateOf(file('ca.crt')).publicKey));
  const { names, facts } = verifiedIdentity(alice.raw);
  test.match(names, { cn: 'alice', uri: ['spiffe://a/b'], email: ['a@b.example'] });

  test.strictSame(readdirSync(dir).toSorted(), [
    'alice.crt',
    'alice.key',
    'ca.crl',
    'ca.crt',
    'ca.index',
    'ca.key',
    'server.crt',
    'server.key',
  ]);
  for (const key of ['ca.key', 'server.key', 'alice.key']) test.equal(modeOf(file(key)), '600', key);

  test.match(await pki(test, 'revoke', 'alice', '--dir', dir), { status: 0, stdout: 'alice is revoked' });
  test.match(await pki(test, 'revoke', 'alice', '--dir', dir), {
    status: 0,
    stdout: 'alice was revoked before',
  });
  test.match(await pki(test, 'revoke', 'server', '--dir', dir), { status: 0, stdout: 'server is revoked' });
  const after = await loadLists({ ssl_crl_file: file('ca.crl') });
  const serials = [facts.serial, verifiedIdentity(server.raw).facts.serial];
  const revoked = after.crls[0]?.revokedSerials;
  test.equal(revoked?.size, 2);
  for (const serial of serials) test.ok(revoked?.has(BigInt(serial).toString(16)));
});

void t.test('nothing is overwritten unasked, and asked for only with the right mode', async (test) => {
  const dir = temporary(test);
  await pki(test, 'init', '--dir', dir);
  await pki(test, 'client', 'bob', '--dir', dir);
  const key = join(dir, 'bob.key');
  const before = readFileSync(key, 'utf8');
  for (const again of [['init'], ['client', 'bob']]) {
    const { status, stderr } = await pki(test, ...again, '--dir', dir);
    test.equal(status, 1);
    test.match(stderr, /^pg-gatehouse: .* exists; --force replaces it\n$/);
  }
  test.equal(readFileSync(key, 'utf8'), before);
  chmodSync(key, 0o644);
  test.match(await pki(test, 'client', 'bob', '--dir', dir, '--force', '--key-type', 'rsa'), { status: 0 });
  test.not(readFileSync(key, 'utf8'), before);
  test.equal(modeOf(key), '600');
});

void t.test('what cannot be done is said', async (test) => {
  const dir = temporary(test);
  test.match(await pki(test, 'client', 'bob', '--dir', dir), { status: 1, stderr: 'pg-gatehouse pki init' });
  await pki(test, 'init', '--dir', dir);
  test.match(await pki(test, 'revoke', 'bob', '--dir', dir), {
    status: 1,
    stderr: 'there is no certificate',
  });

  const stranger = createAuthority({ subject: 'pg-gatehouse development CA' });
  const { certificate } = stranger.issue({ subject: 'eve', purposes: ['clientAuth'] });
  writeFileSync(join(dir, 'eve.crt'), certificate);
  test.match(await pki(test, 'revoke', 'eve', '--dir', dir), { status: 1, stderr: 'was not issued by' });
});

void t.test('a damaged file is named', async (test) => {
  const dir = temporary(test);
  await pki(test, 'init', '--dir', dir);
  await pki(test, 'client', 'bob', '--dir', dir);
  await pki(test, 'client', 'eve', '--dir', dir);
  await pki(test, 'revoke', 'eve', '--dir', dir);
  const stranger = createAuthority({ subject: 'pg-gatehouse development CA' });
  const encrypted = createPrivateKey(stranger.key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  });
  const broken = stranger.crl().replace(/\n.{8}/, '\nAAAAAAAA');
  const table: readonly (readonly [file: string, content: string, complaint: string])[] = [
    ['ca.key', 'x\n', 'ca.key: there is no private key in it'],
    ['ca.key', encrypted, 'ca.key: there is no private key in it that can be read without a passphrase'],
    ['ca.key', stranger.key, 'ca.key: the private key does not belong to the certificate'],
    ['ca.crt', 'x\n', 'ca.crt: there is no certificate in it'],
    ['ca.crl', 'x\n', 'ca.crl: there is no revocation list in it'],
    ['ca.crl', broken, 'ca.crl: '],
  ];
  for (const [name, content, complaint] of table) {
    const file = join(dir, name);
    const before = readFileSync(file);
    writeFileSync(file, content);
    const { status, stderr } = await pki(test, 'revoke', 'bob', '--dir', dir);
    test.equal(status, 1, complaint);
    test.ok(stderr.startsWith('pg-gatehouse: ') && stderr.includes(join(dir, complaint)), stderr);
    test.equal(readFileSync(file, 'latin1'), content, 'nothing was written');
    writeFileSync(file, before);
  }
  test.match(await pki(test, 'revoke', 'bob', '--dir', dir), { status: 0, stdout: 'bob is revoked' });
});

void t.test('names and numbers that are typed wrongly', async (test) => {
  const dir = temporary(test);
  await pki(test, 'init', '--dir', dir);
  const files = readdirSync(dir);
  const table: readonly (readonly string[])[] = [
    ['client', '../eve'],
    ['client', 'a/b'],
    ['client', 'a\\b'],
    ['client', '.hidden'],
    ['client', ''],
    ['client', 'a\nb'],
    ['client', 'x'.repeat(64)],
    ['client', 'ca'],
    ['client', 'server'],
    ['client'],
    ['client', 'eve', '--days', '0'],
    ['client', 'eve', '--days', '1e3'],
    ['client', 'eve', '--key-type', 'dsa'],
    ['client', 'eve', '--uri', 'spiffe://é'],
    ['server', '--host', 'a b'],
    ['revoke', '../eve'],
  ];
  for (const args of table) {
    const { status } = await pki(test, ...args, '--dir', dir);
    test.equal(status, 'usage', args.join(' '));
  }
  test.strictSame(readdirSync(dir), files, 'and nothing was written');
});
