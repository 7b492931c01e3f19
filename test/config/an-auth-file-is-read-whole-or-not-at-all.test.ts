// auth_file, PgBouncer's userlist.txt (login.md §2): what its lines may look like, what is wrong with a file, and that
// nothing of a secret is ever said.

import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { parseUserlist } from '../../src/auth/userlist.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { runProgram } from '../support/run/program.ts';

const SCRAM = `SCRAM-SHA-256$4096:${Buffer.alloc(16).toString('base64')}$${Buffer.alloc(32).toString('base64')}:${Buffer.alloc(32).toString('base64')}`;

await test('users and the kinds of their secrets', (t) => {
  const text = [
    '"alice" "secret"',
    '  \t"bob"\t "md5' + '0a'.repeat(16) + '" anything else "here"',
    '',
    '; "carol" "commented out"',
    `"dave" "${SCRAM}"`,
    '"e""ve" "quo""te\\"',
    '"two" "lines\nof secret"',
    '"empty" ""',
    '"alice" "the last one counts"',
    '"MD5" "md5' + '0A'.repeat(16) + '"',
    `"damaged" "${SCRAM.slice(0, -3)}"`,
  ].join('\n');
  const { secrets, problems, warnings } = parseUserlist(text, '/users');
  t.strictSame(problems, []);
  t.strictSame(Object.fromEntries([...secrets].map(([user, secret]) => [user, secret.kind])), {
    alice: 'plain',
    bob: 'md5',
    dave: 'scram',
    'e"ve': 'plain',
    two: 'plain',
    empty: 'none',
    MD5: 'plain',
    damaged: 'plain',
  });
  t.strictSame(secrets.get('alice'), { kind: 'plain', password: 'the last one counts' });
  t.strictSame(secrets.get('e"ve'), { kind: 'plain', password: 'quo"te\\' });
  t.strictSame(secrets.get('two'), { kind: 'plain', password: 'lines\nof secret' });
  t.strictSame(
    warnings.map(({ line, message }) => [line, message]),
    [
      [11, 'the secret of "MD5" looks like a damaged hash and is read as a plain password'],
      [12, 'the secret of "damaged" looks like a damaged hash and is read as a plain password'],
    ],
  );
  t.end();
});

const WRONG: Readonly<Record<string, readonly [line: number, message: string]>> = {
  'alice hidden': [1, 'the line has no quoted user name'],
  '# a comment': [1, 'the line has no quoted user name'],
  '"alice"': [1, 'the line has no quoted secret'],
  '"alice"\n"hidden"': [1, 'the line has no quoted secret'],
  '"a" "b"\n"alice" hidden': [2, 'the line has no quoted secret'],
  '"a" "b"\n"alice" "hidden\n': [2, 'the quote of the secret is never closed'],
  '"" "hidden"': [1, 'the user name is empty'],
  [`"${'a'.repeat(64)}" "x"`]: [1, 'the user name is longer than 63 bytes'],
  [`"a" "${'x'.repeat(65_531)}"`]: [1, 'the secret is longer than 65530 bytes'],
  '"a\0b" "x"': [1, 'the user name contains a NUL byte'],
  '"a" "x\0"': [1, 'the secret contains a NUL byte'],
};

await test('what is wrong', (t) => {
  for (const [text, [line, message]] of Object.entries(WRONG)) {
    const { problems } = parseUserlist(text, '/users');
    t.match(problems[0], { file: '/users', line, message }, text.slice(0, 40));
    t.notMatch(JSON.stringify(problems), 'hidden', 'no secret is repeated');
  }
  t.end();
});

await test('a file that is not to be used refuses the start', async (t) => {
  const authority = testAuthority(t);
  const directory = authority.directory;
  writeGateFiles(directory, authority, {
    hba: 'hostssl all all all scram-sha-256\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { auth_file: 'userlist.txt' },
    files: { 'userlist.txt': '"alice" "correct-horse"\n' },
  });
  const [yaml, users] = [join(directory, 'gatehouse.yaml'), join(directory, 'userlist.txt')];
  const check = async () => await runProgram(['check', '--config', yaml]);
  t.match(await check(), { code: 0 });
  chmodSync(users, 0o644);
  t.match(await check(), { code: 1, stdout: `auth file "${users}" has group or world access` });
  chmodSync(users, 0o600);
  writeFileSync(users, '"alice" "correct-horse"\n"bob"\n');
  t.match(await check(), { code: 1, stdout: `${users}:2: the line has no quoted secret` });
  rmSync(users);
  t.match(await check(), {
    code: 1,
    stdout: `could not open auth file "${users}": No such file or directory`,
  });
  for (const { stdout } of [await check()]) t.notMatch(stdout, 'correct-horse');
});

await test('a reload takes all of it or nothing, and config_info shows nothing of it', async (t) => {
  const gate = await startGate(t, {
    hba: 'hostssl all all all scram-sha-256\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { auth_file: 'userlist.txt', reload: { watch: 'on', interval: '50ms' } },
    files: { 'userlist.txt': '"alice" "correct-horse"\n' },
  });
  const hash = async () =>
    /gatehouse_config_info\{hash="([^"]+)"/.exec((await gate.admin('/metrics')).body)?.[1];
  const before = await hash();
  t.ok(before);
  let from = gate.logLength();
  gate.rewrite('userlist.txt', '"alice" "staple"\n');
  // Not the line that a reload begins with, at which the hash is still the one before.
  await gate.waitForLog(({ reloaded }) => Array.isArray(reloaded) && reloaded.includes('rules'), { from });
  t.equal(await hash(), before, 'another password, the same hash');
  from = gate.logLength();
  gate.rewrite('userlist.txt', '"alice" "staple"\n"bob"\n');
  await gate.waitForLog({ msg: `${gate.path('pg_hba.conf')} was not reloaded` }, { from });
  const { status, body } = await gate.admin('/reload', { method: 'POST' });
  t.equal(status, 422);
  t.match(JSON.parse(body), { errors: [{ file: gate.path('userlist.txt'), line: 2 }] });
  t.notMatch(gate.stdout + body, /correct-horse|staple/);
});
