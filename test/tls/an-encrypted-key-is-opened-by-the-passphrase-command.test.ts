// ssl_passphrase_command (semantics §2.5), at start and at a reload, and every way in which it can fail.

import type { TlsSettings } from '../../src/tls/settings.ts';
import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mock } from 'node:test';
import { test } from 'tap';
import { LoadError } from '../../src/base/problems.ts';
import { runPassphraseCommand } from '../../src/tls/material/passphrase.ts';
import type { Refuse } from '../../src/tls/material/load-problem.ts';
import { testAuthority, type TestAuthority } from '../support/certificates/certificates.ts';
import type { Scope } from '../support/run/scope.ts';
import {
  loadingProblem,
  loadMaterial,
  startTlsGate,
  TlsClient,
  tlsSettings,
} from '../support/certificates/tls.ts';
import { within } from '../support/run/waiting.ts';

const PASSPHRASE = 'correct horse';

const refuse: Refuse = (message, extra = {}) => new LoadError([{ file: 'f', line: null, message, ...extra }]);

const run = async (command: string): Promise<string> =>
  (await runPassphraseCommand(command, { refuse })).toString();

/** Settings whose key is encrypted, PKCS #8 unless told. */
function encrypted(
  t: Scope,
  overrides: Partial<TlsSettings>,
  type: 'pkcs8' | 'pkcs1' = 'pkcs8',
  passphrase: string | Buffer = PASSPHRASE,
): { tls: TlsSettings; authority: TestAuthority } {
  const authority = testAuthority(t);
  const server = authority.server({ keyType: 'rsa' });
  const key = createPrivateKey(server.key).export({
    type,
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase,
  });
  const keyFile = join(authority.directory, 'encrypted.key');
  writeFileSync(keyFile, key, { mode: 0o600 });
  return { authority, tls: tlsSettings({ certFile: server.certFile, keyFile }, overrides) };
}

for (const type of ['pkcs8', 'pkcs1'] as const) {
  await test(`a ${type} key is opened, and serves`, async (t) => {
    const { tls } = encrypted(t, { ssl_passphrase_command: `echo '${PASSPHRASE}'` }, type);
    const gate = await startTlsGate(t, await loadMaterial(tls));
    await new TlsClient(t, gate).secured();
    t.equal((await gate.session()).version, 'TLSv1.3');
  });
}

for (const type of ['pkcs8', 'pkcs1'] as const) {
  await test(`a passphrase is bytes: one that is not UTF-8 opens a ${type} key`, async (t) => {
    const right = { ssl_passphrase_command: String.raw`printf 'gr\374n\n'` };
    const bytes = Buffer.from('gr\xfcn', 'latin1');
    const { tls } = encrypted(t, { ...right, ssl_passphrase_command_supports_reload: true }, type, bytes);
    const material = await loadMaterial(tls);
    const gate = await startTlsGate(t, material);
    await new TlsClient(t, gate).secured();
    t.strictSame((await loadMaterial(tls, { reload: true })).options, material.options, 'the same each time');
    const passphrases = [material.options.passphrase ?? ''];
    const dry = { ...tls, ssl_passphrase_command: 'exit 1' };
    t.ok(await loadMaterial(dry, { reload: true, passphrases }), 'for a dry run too');
    const { tls: other } = encrypted(t, right, type, Buffer.from('gr\xfdn', 'latin1'));
    t.match(await loadingProblem(other), {
      message: `could not load private key file "${other.ssl_key_file}": bad decrypt`,
      hint: 'The key does not open with the passphrase that "ssl_passphrase_command" prints.',
    });
  });
}

await test('the command is asked with the prompt, its first line counts, its line end does not', async (t) => {
  t.equal(await run('echo "<%p> 100%%"'), '<Enter PEM pass phrase:> 100%');
  t.equal(await run(String.raw`printf 'one\r\r\ntwo\n'`), 'one');
  t.equal(await run(String.raw`printf ' no end '`), ' no end ');
  t.equal(await run(String.raw`printf 'gr\303\274n\n'`), 'grün');
  t.equal(await run('true'), '');
  t.equal(await run(String.raw`printf 'one\0two\n'`), 'one');
  t.equal(await run("head -c 3000000 /dev/zero | tr '\\0' x"), 'x'.repeat(1023));
});

await test('what the command leaves in the background is not waited for', async (t) => {
  const pid = Number(await within(run('sleep 1000 2>/dev/null & echo $!'), 'the passphrase'));
  t.teardown(() => process.kill(pid));
  t.ok(process.kill(pid, 0), 'nor ended, though it holds the output open');
});

interface Failure {
  readonly command: string;
  readonly message: string;
  readonly detail?: string;
}

await test('a command that fails is named, what it printed is not', async (t) => {
  const failures: readonly Failure[] = [
    {
      command: 'echo hush; exit 3',
      message: 'command "echo hush; exit 3" failed',
      detail: 'child process exited with exit code 3',
    },
    {
      command: '/nowhere/ask 2>/dev/null',
      message: 'command "/nowhere/ask 2>/dev/null" failed',
      detail: 'command not found',
    },
    {
      command: '/etc/passwd 2>/dev/null',
      message: 'command "/etc/passwd 2>/dev/null" failed',
      detail: 'command not executable',
    },
    {
      command: 'kill -9 $$',
      message: 'command "kill -9 $$" failed',
      detail: 'child process was terminated by signal 9: Killed',
    },
    {
      command: 'ask %d',
      message: 'invalid value for parameter "ssl_passphrase_command": "ask %d"',
      detail: 'String contains unexpected placeholder "%d".',
    },
    {
      command: 'ask %',
      message: 'invalid value for parameter "ssl_passphrase_command": "ask %"',
      detail: 'String ends unexpectedly after escape character "%".',
    },
  ];
  for (const { command, ...expected } of failures) {
    const { tls } = encrypted(t, { ssl_passphrase_command: command });
    const problem = await loadingProblem(tls, { lines: { ssl_passphrase_command: 9 } });
    t.match(problem, { line: 9, ...expected }, command);
  }
});

await test('a command that does not end is ended, with all it has started', async (t) => {
  const authority = testAuthority(t);
  // The pipe ends when the last process that has it open for writing does.
  const pipe = join(authority.directory, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const reader = createReadStream(pipe);
  reader.resume();
  const gone = once(reader, 'end');
  const command = `sh -c 'exec sleep 1000 >${pipe}'; true`;
  const late = refuse(`command "${command}" failed`, { detail: 'It did not end within 1.5 s.' });
  // The deadline passes once the sleep has the pipe open, which also opens the reader: before, nothing would be there to
  // be ended.
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const ending = runPassphraseCommand(command, { refuse, deadlineMs: 1500 });
  await once(reader, 'open');
  mock.timers.tick(1500);
  mock.timers.reset();
  await t.rejects(ending, late);
  await within(gone, 'the sleep to be gone');
});

await test('a wrong passphrase, or none to be had', async (t) => {
  const wrong = encrypted(t, { ssl_passphrase_command: 'echo wrong' }).tls;
  t.match(await loadingProblem(wrong), {
    message: `could not load private key file "${wrong.ssl_key_file}": bad decrypt`,
  });
  const none = encrypted(t, {}).tls;
  t.match(await loadingProblem(none), {
    message: `could not load private key file "${none.ssl_key_file}": processing error`,
    hint: /ssl_passphrase_command/,
  });
});

await test('at a reload the command runs only with ssl_passphrase_command_supports_reload', async (t) => {
  const passphraseCommand = `echo '${PASSPHRASE}'`;
  const { tls } = encrypted(t, { ssl_passphrase_command: passphraseCommand });
  const refusal = {
    line: 3,
    message: `private key file "${tls.ssl_key_file}" cannot be reloaded because it requires a passphrase`,
  };
  const options = { reload: true, lines: { ssl_key_file: 3 } };
  t.match(await loadingProblem(tls, options), refusal);
  t.match(await loadingProblem({ ...tls, ssl_passphrase_command: '' }, options), refusal);
  const both = { ...tls, ssl_passphrase_command_supports_reload: true };
  t.match(await loadingProblem({ ...both, ssl_passphrase_command: '' }, options), refusal);
  t.ok(await loadMaterial(both, options));
});

await test('a key without a passphrase needs no command, at a reload neither', async (t) => {
  const tls = tlsSettings(testAuthority(t).server(), { ssl_passphrase_command: 'exit 1' });
  t.ok(await loadMaterial(tls));
  t.ok(await loadMaterial(tls, { reload: true }));
});
