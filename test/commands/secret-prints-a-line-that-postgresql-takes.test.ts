// `pg-gatehouse secret` and PostgreSQL 18 make the same of a password: the server lets in with the gate's secret, and the
// gate with the server's.

import { createHash } from 'node:crypto';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { programCommand, runProgram, runToEnd, type Finished } from '../support/run/program.ts';
import { psql } from '../support/peers/psql.ts';
import { needs, toolPath } from '../support/run/tools.ts';

/** Passwords that SASLprep changes, forbids, or leaves alone; with what a quoted field and a shell would trip over. */
const PASSWORDS: Readonly<Record<string, string>> = {
  ascii: 'correct horse "battery" \\ staple',
  umlaut: 'pässwörd',
  decomposed: 'pa\u0308sswo\u0308rd',
  mapped: 'I\u00adX\u00a0y',
  ligature: '\ufb01n \u2168',
  prohibited: 'bell\u0007',
  unassigned: 'x\u0221y',
  bidirectional: '\u0627x1',
  'nothing left': '\u00ad\u00ad',
};

await test('both ways', needs('psql'), async (t) => {
  await using server = await startPostgres({
    version: 18,
    hba: 'host postgres all 127.0.0.1/32 scram-sha-256\nhost template1 all 127.0.0.1/32 trust\n',
  });
  const lines: string[] = [];
  for (const [i, password] of Object.values(PASSWORDS).entries()) {
    const { code, stdout, stderr } = await runProgram(['secret', `ours${i}`, '--iterations', '5000'], {
      input: `${password}\n`,
    });
    t.equal(code, 0, stderr);
    const secret = new RegExp(`^"ours${i}" "(SCRAM-SHA-256\\$5000:[^"]+)"\n$`).exec(stdout)?.[1];
    await server.query(`create role ours${i} login password '${secret}'`);
    await server.createUser(`theirs${i}`, { password, encryption: 'scram-sha-256' });
    const [row] = await server.query(`select rolpassword from pg_authid where rolname = 'theirs${i}'`);
    lines.push(`"theirs${i}" "${String(row?.['rolpassword'])}"\n`);
  }
  const gate = await startGate(t, {
    hba: 'host all all 127.0.0.1/32 scram-sha-256\n',
    upstream: server,
    config: { auth_file: 'userlist.txt' },
    files: { 'userlist.txt': lines.join('') },
  });
  const places = { ours: server.port, theirs: gate.port };
  for (const [i, [name, password]] of Object.entries(PASSWORDS).entries()) {
    for (const [whose, port] of Object.entries(places)) {
      const user = `${whose}${i}`;
      const attempt = async (given: string) =>
        await psql(
          `host=127.0.0.1 port=${port} dbname=postgres user=${user}`,
          ['-c', 'select current_user'],
          {
            env: { PGPASSWORD: given },
          },
        );
      const right = await attempt(password);
      t.equal(right.stdout, `${user}\n`, `${name}, ${whose}: ${right.stderr}`);
      t.match((await attempt(`${password}x`)).stderr, 'password authentication failed', `${name}, ${whose}`);
    }
  }
});

await test('md5, plain and what is refused', async (t) => {
  t.match(await runSecret('pass\n', 'al', '--md5'), { code: 0, stdout: /^"al" "md5[0-9a-f]{32}"\n$/ });
  t.match(await runSecret('pa"ss', 'a"l', '--plain'), { code: 0, stdout: '"a""l" "pa""ss"\n' });
  t.match(await runSecret('\n', 'al'), { code: 1, stdout: '', stderr: /the password is empty/ });
  t.match(await runSecret('', 'al'), { code: 1, stdout: '', stderr: /the password is empty/ });
  t.match(await runSecret('x', 'al', '--md5', '--plain'), { code: 2, stdout: '' });
  t.match(await runSecret('x', 'al', '--scram', '--md5'), { code: 2, stdout: '' });
  t.match(await runSecret('x', 'al', '--iterations', '0'), { code: 2, stdout: '' });
  const tooMany = await runSecret('x', 'al', '--iterations', '10000001');
  t.match(
    tooMany,
    { code: 2, stdout: '', stderr: /a number from 1 to 10000000, / },
    'auth_file takes no more',
  );
  t.match(await runSecret('x', 'al', '--md5', '--iterations', '5000'), { code: 2, stdout: '' });
  t.match(await runSecret('x', 'a'.repeat(64)), { code: 2, stdout: '' });
  t.match(await runSecret(`md5${'0'.repeat(32)}`, 'al', '--plain'), { code: 1, stdout: '' });
});

await test('bytes that are no UTF-8 stay what they are', async (t) => {
  const bytes = Buffer.from('p\xe4ss', 'latin1');
  const hash = createHash('md5').update(bytes).update('al').digest('hex');
  for (const end of ['', '\n', '\r\n', '\nsecond line\n'])
    t.match(await runSecret(Buffer.concat([bytes, Buffer.from(end)]), 'al', '--md5'), {
      code: 0,
      stdout: `"al" "md5${hash}"\n`,
    });
  t.match(await runSecret('a\0b\n', 'al'), { code: 1, stdout: '', stderr: /contains a NUL byte/ });
});

await test('a terminal is asked twice and shows nothing', needs('python3'), async (t) => {
  const script = `
import os, pty, sys
def run(answers):
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(sys.argv[1], sys.argv[1:])
    seen = b''
    for answer in answers:
        while not seen.endswith(b': '):
            seen += os.read(fd, 1000)
        os.write(fd, answer)
        seen += b'|'
    try:
        while True:
            piece = os.read(fd, 1000)
            if not piece: break
            seen += piece
    except OSError:
        pass
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), repr(seen.decode('latin-1')))
run([b'pasz\\x7fs\\r', b'pass\\r'])
run([b'pass\\r', b'other\\r'])
run([b'\\x03'])
run([b'p\\xc3\\xa4\\x7f\\xe4s\\x7fs\\r', b'p\\xe4s\\r'])
`;
  const program = [...programCommand(), 'secret', 'al', '--plain'];
  const { stdout } = await runToEnd(toolPath('python3'), ['-c', script, ...program]);
  const [same, different, stopped, latin] = stdout.split('\n');
  t.equal(same, String.raw`0 'Password for al: |\r\nAgain: |\r\n"al" "pass"\r\n'`);
  t.match(different, /^1 .*the two passwords are not the same/);
  t.notMatch(different, /other/);
  t.match(stopped, /^1 .*no password was given/);
  t.match(latin, /^0 .*"al" "päs"/, 'a character of two bytes is taken back whole, a byte stays a byte');
});

async function runSecret(input: string | Uint8Array, ...args: string[]): Promise<Finished> {
  return await runProgram(['secret', ...args], { input });
}
