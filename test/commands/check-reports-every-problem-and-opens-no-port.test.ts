import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { once } from 'node:events';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { portOf } from '../support/run/free-port.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { runProgram } from '../support/run/program.ts';
import type { Scope } from '../support/run/scope.ts';

const HBA = 'hostssl all all all cert\n';

/** A configuration whose own port and whose upstream are taken by servers that count who comes. */
async function setUp(t: Scope, hba: string) {
  const authority = testAuthority(t);
  let connections = 0;
  const taken = async (): Promise<number> => {
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    server.listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    return portOf(server);
  };
  const [port, upstreamPort] = [await taken(), await taken()];
  const config = { port, admin: { listen: `127.0.0.1:${port}` } };
  const upstream = { host: '127.0.0.1', port: upstreamPort };
  writeGateFiles(authority.directory, authority, { hba, config, upstream });
  const file = join(authority.directory, 'gatehouse.yaml');
  const check = (...args: string[]) => runProgram(['check', '--config', file, ...args]);
  return { directory: authority.directory, file, check, connections: () => connections };
}

void test('what is fine exits with 0, its ports in use or not', async (t) => {
  const { file, check, connections } = await setUp(t, HBA);
  const stdout = `${file}: ok\n1 of 1 line of pg_hba.conf can admit anybody\n`;
  t.strictSame(await check(), { code: 0, signal: null, stdout, stderr: '' });
  const json = await check('--json');
  t.equal(json.code, 0);
  t.strictSame(JSON.parse(json.stdout), { ok: true, errors: [], warnings: [] });
  t.equal(connections(), 0, 'nobody was contacted');
});

void test('a warning is told, and is not an error', async (t) => {
  const { directory, check } = await setUp(t, `${HBA}hostgssenc all all all trust\n`);
  const hba = join(directory, 'pg_hba.conf');
  const json = await check('--json');
  t.equal(json.code, 0);
  const message = 'hostgssenc record cannot match because GSSAPI is not supported by this build';
  t.match(JSON.parse(json.stdout), {
    ok: true,
    errors: [],
    warnings: [{ file: hba, line: 2, message, hint: null }],
  });
  const text = await check();
  t.equal(text.code, 0);
  t.ok(text.stdout.startsWith(`${hba}:2: warning: ${message}\n`), text.stdout);
});

void test('the errors of all parts are told, with their hints, and exit with 1', async (t) => {
  const { directory, check } = await setUp(t, 'hostssl all all 10.0.0.1 cert\nhostssl all all all cerd\n');
  writeFileSync(join(directory, 'pg_ident.conf'), 'm a\n');
  writeFileSync(join(directory, 'ca.crt'), '');
  const hba = join(directory, 'pg_hba.conf');
  const text = await check();
  t.equal(text.code, 1);
  t.equal(text.stderr, '');
  t.match(text.stdout, `${hba}:2: invalid authentication method "cerd"\n`);
  t.match(text.stdout, `${join(directory, 'pg_ident.conf')}:1: missing entry at end of line\n`);
  t.match(text.stdout, /could not load root certificate file/);
  const { ok, errors } = JSON.parse((await check('--json')).stdout);
  t.equal(ok, false);
  t.equal(errors.length, 4);
  for (const error of errors) t.strictSame(Object.keys(error), ['file', 'line', 'message', 'hint']);
});

void test('a setting that cannot be read is told with line, column and hint', async (t) => {
  const { file, check } = await setUp(t, 'nonsense\n');
  writeFileSync(file, '# a comment\n  prot: 1\n');
  const text = await check();
  t.equal(text.code, 1);
  const message = 'unrecognized configuration parameter "prot"';
  const hint = 'Perhaps you meant "port".';
  t.equal(text.stdout, `${file}:2: ${message} (column 3)\n  HINT: ${hint}\n`);
  const json = await check('--json');
  t.equal(json.code, 1);
  t.strictSame(JSON.parse(json.stdout), {
    ok: false,
    errors: [{ file, line: 2, message, hint }],
    warnings: [],
  });
});

void test('the errors of the other parts are told beside those of the settings', async (t) => {
  const { directory, file, check } = await setUp(t, 'hostssl all all all cerd\n');
  appendFileSync(file, '\nlog_levle: info\nssl_cert_file: nowhere.crt\nident_fiel: other.conf\n');
  const { errors } = JSON.parse((await check('--json')).stdout);
  t.match(
    errors.map(({ message }: { message: string }) => message),
    [/"log_levle"/, /"ssl_cert_file" is set twice/, /"ident_fiel"/, 'invalid authentication method "cerd"'],
    'nothing of maps that may be another file',
  );
  t.equal(errors.at(-1).file, join(directory, 'pg_hba.conf'));
});

void test('a file that is missing is told where it is named', async (t) => {
  const { directory, file, check } = await setUp(t, HBA);
  rmSync(join(directory, 'pg_hba.conf'));
  const { stdout } = await check();
  const hba = join(directory, 'pg_hba.conf');
  t.ok(stdout.startsWith(`${file}:`), stdout);
  t.match(stdout, /^\S+:\d+: could not open file /);
  t.match(stdout, `"${hba}": No such file or directory`);
});

void test('a missing file has no line', async (t) => {
  const json = await runProgram(['check', '--json', '--config', '/nowhere/gatehouse.yaml']);
  t.equal(json.code, 1);
  const file = '/nowhere/gatehouse.yaml';
  const message = `could not open configuration file "${file}": No such file or directory`;
  t.strictSame(JSON.parse(json.stdout), {
    ok: false,
    errors: [{ file, line: null, message, hint: null }],
    warnings: [],
  });
});

void test('a command line that is wrong exits with 2', async (t) => {
  const noConfig = await runProgram(['check']);
  t.equal(noConfig.code, 2);
  t.match(noConfig.stderr, /--config/);
  const typo = await runProgram(['check', '--config', 'x', '--jsno']);
  t.equal(typo.code, 2);
  t.match(typo.stderr, /--json/);
  for (const [wrong, right] of [
    ['--config-file', '--config'],
    ['--file', '--config'],
  ] as const) {
    const { code, stderr } = await runProgram(['check', wrong, 'x']);
    t.equal(code, 2);
    t.match(stderr, `unknown option '${wrong}'\n(Did you mean ${right}?)`);
  }
});
