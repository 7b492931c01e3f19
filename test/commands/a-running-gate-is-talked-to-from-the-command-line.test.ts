// `sessions`, `reload` and `terminate` as programs of their own against a real admin listener, over TCP and a Unix
// socket: what they print, what they ask of the gate, and their exit status (contract §1, §7.27).

import { createServer } from 'node:http';
import { once } from 'node:events';
import { test } from 'tap';
import { createAdminServer } from '../../src/admin/server.ts';
import {
  adminSettings,
  exampleGate,
  exampleReload,
  exampleSession,
  startAdmin,
} from '../admin/example-gate.ts';
import { portOf } from '../support/run/free-port.ts';
import { runProgram } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

await test('sessions prints a table in which no name can forge a line or drive the terminal', async (t) => {
  const usual = exampleSession();
  const hostile = exampleSession({
    id: '1-18',
    user: '\u001B[2Jbob\n1-99  root',
    version: null,
    client_dn: null,
  });
  const url = await startAdmin(t, exampleGate([usual, hostile]).view);
  const { code, stdout, stderr } = await runProgram(['sessions', '--admin', url]);
  t.equal(code, 0);
  t.equal(stderr, '');
  const lines = stdout.split('\n');
  t.match(
    lines[0],
    /^ID +USER +DATABASE +CLIENT +APPLICATION +SINCE +TLS +CERTIFICATE +RULE +BYTES IN +BYTES OUT +UPSTREAM PID +STATE$/,
  );
  t.match(
    lines[1],
    /^1-17 +alice +orders +192\.0\.2\.7 port 50312 +psql +2026-03-01T12:00:00\.000Z +TLSv1\.3 +CN=alice,O=Example +\/etc\/gatehouse\/pg_hba\.conf:4 +1200 +34567 +4242 +idle$/,
  );
  t.match(lines[2], /^1-18 +\\u\{1b\}\[2Jbob\\u\{a\}1-99 {2}root +orders .* none +\/etc/);
  t.strictSame(lines.slice(3), ['(2 sessions)', '']);
  t.equal(lines[0]?.indexOf('DATABASE'), lines[1]?.indexOf('orders'), 'columns stand under their titles');

  const json = await runProgram(['sessions', '--admin', url, '--json']);
  t.equal(json.code, 0);
  t.strictSame(JSON.parse(json.stdout), [usual, hostile]);
});

await test('reload names the parts, the errors and the warnings', async (t) => {
  const good = exampleGate();
  const fine = await runProgram(['reload', '--admin', await startAdmin(t, good.view)]);
  t.strictSame(fine, { code: 0, signal: null, stdout: 'reloaded: settings, tls, rules, maps\n', stderr: '' });
  t.equal(good.reloads, 1);

  const bad = exampleReload({
    ok: false,
    reloaded: ['settings', 'maps'],
    errors: [
      { file: '/etc/pg_hba.conf', line: 3, message: 'invalid authentication method "crt"' },
      {
        file: '/etc/server.key',
        line: null,
        message: 'has group access',
        detail: 'Must be 0600.',
        hint: 'chmod it',
      },
    ],
    warnings: [{ file: '/etc/gatehouse.yaml', line: 2, message: 'parameter "port" cannot be changed' }],
  });
  const url = await startAdmin(t, exampleGate([], { reload: async () => bad }).view);
  const failed = await runProgram(['reload', '--admin', url]);
  t.equal(failed.code, 1);
  t.equal(
    failed.stdout,
    [
      '/etc/pg_hba.conf:3: invalid authentication method "crt"',
      '/etc/server.key: has group access',
      '  DETAIL: Must be 0600.',
      '  HINT: chmod it',
      'WARNING:  /etc/gatehouse.yaml:2: parameter "port" cannot be changed',
      'reloaded: settings, maps',
      '',
    ].join('\n'),
  );
  const json = await runProgram(['reload', '--admin', url, '--json']);
  t.equal(json.code, 1);
  t.match(JSON.parse(json.stdout), { ok: false, errors: [{ line: 3 }, { line: null }] });
});

await test('refusals shows the line that decided as it is written', async (t) => {
  const refusal = {
    time: '2026-01-01T00:00:00.000Z',
    level: 'info',
    code: 'hba-reject',
    msg: 'pg_hba.conf rejects connection',
    id: '9',
    detail: 'line 1: "host\tall\tall\tall\treject"\u001b[2J',
  };
  const gate = exampleGate([], { refusals: async () => [refusal] });
  const { stdout } = await runProgram(['refusals', '--admin', await startAdmin(t, gate.view)]);
  t.match(stdout, '    DETAIL:  line 1: "host\tall\tall\tall\treject"\\u{1b}[2J\n');
});

await test('terminate ends the session named, over a Unix socket', async (t) => {
  const gate = exampleGate([exampleSession({ id: 'a/b?c' })]);
  const path = `${temporaryDirectory(t)}/admin.sock`;
  const server = await createAdminServer(gate.view, adminSettings(path));
  t.teardown(() => server.close());
  const ended = await runProgram(['terminate', 'a/b?c', '--admin', `unix:${path}`]);
  t.strictSame(ended, { code: 0, signal: null, stdout: 'session a/b?c was terminated\n', stderr: '' });
  // The path alone, as admin.listen has it.
  const again = await runProgram(['terminate', 'a/b?c', '--admin', path]);
  t.strictSame(again, { code: 1, signal: null, stdout: '', stderr: 'pg-gatehouse: no such session\n' });
  t.strictSame(gate.terminated, ['a/b?c', 'a/b?c']);
});

await test('a gate that cannot be reached, or fails, or is none: exit status 1 and why', async (t) => {
  // Nobody listens there. A port that was free a moment ago may be somebody else's by now.
  const port = 1;
  const nobody = await runProgram(['sessions', '--admin', `http://127.0.0.1:${port}`]);
  t.equal(nobody.code, 1);
  t.equal(
    nobody.stderr,
    `pg-gatehouse: could not reach the gate at http://127.0.0.1:${port}: Connection refused\n`,
  );

  const missing = await runProgram(['reload', '--admin', 'unix:/nonexistent/admin.sock']);
  t.equal(missing.code, 1);
  t.match(
    missing.stderr,
    'could not reach the gate at unix:/nonexistent/admin.sock: No such file or directory',
  );

  const failing = exampleGate([], { sessions: () => Promise.reject(new Error('secret')) });
  const broken = await runProgram(['sessions', '--admin', await startAdmin(t, failing.view)]);
  t.strictSame([broken.code, broken.stderr], [1, 'pg-gatehouse: internal error\n']);

  const other = createServer((_request, response) => response.end('<html>'));
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close());
  const url = `http://127.0.0.1:${portOf(other)}`;
  const none = await runProgram(['sessions', '--admin', url]);
  t.strictSame(
    [none.code, none.stderr],
    [1, `pg-gatehouse: could not reach the gate at ${url}: what answers there is not a gate\n`],
  );

  for (const wrong of [
    'ftp://127.0.0.1:1',
    'localhost:9432',
    'http://127.0.0.1:1/metrics',
    'unix:relative',
    '',
  ]) {
    const usage = await runProgram(['sessions', '--admin', wrong]);
    t.equal(usage.code, 2, wrong);
    t.match(usage.stderr, 'give http://HOST:PORT, https://HOST:PORT or unix:/PATH');
  }
});
