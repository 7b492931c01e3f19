// admin.listen in each of its forms, and what keeps the listener from standing there: the operator reads file:line.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { spawnSync } from 'node:child_process';
import { test } from 'tap';
import { formatProblem, LoadError } from '../../src/base/problems.ts';
import { createAdminServer } from '../../src/admin/server.ts';
import { portOf } from '../support/run/free-port.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { adminSettings, exampleGate } from './example-gate.ts';

const { view } = exampleGate();

/** The problem as the operator reads it; fails the test when the listener starts. */
async function refusal(listen: string): Promise<string> {
  try {
    const server = await createAdminServer(view, adminSettings(listen));
    await server.close();
    return `listens on ${server.url}`;
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return error.problems.map(formatProblem).join('\n');
  }
}

await test('TCP: the URL names the port it really has', async (t) => {
  for (const [listen, url] of [
    ['127.0.0.1:0', /^http:\/\/127\.0\.0\.1:[1-9]\d*$/],
    ['[::1]:0', /^http:\/\/\[::1\]:[1-9]\d*$/],
  ] as const) {
    const server = await createAdminServer(view, adminSettings(listen));
    t.match(server.url, url);
    t.equal((await fetch(`${server.url}/healthz`)).status, 200, listen);
    await server.close();
  }
});

await test('a Unix socket: for its own user only, and gone with the listener', async (t) => {
  const path = `${temporaryDirectory(t)}/admin.sock`;
  const mask = process.umask();
  const server = await createAdminServer(view, adminSettings(path));
  t.equal(server.url, `unix:${path}`);
  t.equal(process.umask(), mask, 'the process has its umask back');
  t.equal(statSync(path).mode & 0o777, 0o600);
  const body = await new Promise<string>((resolve, reject) => {
    request({ socketPath: path, path: '/healthz', headers: { host: 'gate' }, agent: false }, (response) => {
      text(response).then(resolve, reject);
    })
      .on('error', reject)
      .end();
  });
  t.equal(body, '{"ok":true}');
  t.match(await refusal(path), 'Address already in use', 'a socket in use is not taken over');
  t.ok(statSync(path).isSocket());
  await server.close();
  t.throws(() => statSync(path), { code: 'ENOENT' });
});

await test('a socket that a killed process left behind is replaced; a file is not', async (t) => {
  const directory = temporaryDirectory(t);
  const abandoned = `${directory}/admin.sock`;
  const left = spawnSync(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(abandoned)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]);
  t.equal(left.signal, 'SIGKILL');
  t.ok(statSync(abandoned).isSocket(), 'it was left behind');
  const server = await createAdminServer(view, adminSettings(abandoned));
  t.equal(server.url, `unix:${abandoned}`);
  await server.close();

  const precious = `${directory}/precious`;
  writeFileSync(precious, 'kept');
  t.match(
    await refusal(precious),
    `could not bind the admin listener to "${precious}": Address already in use`,
  );
  t.equal(readFileSync(precious, 'utf8'), 'kept');
});

await test('where it cannot stand, the problem is told at its line', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  t.teardown(() => other.close());
  const port = portOf(other);
  t.equal(
    await refusal(`127.0.0.1:${port}`),
    `/etc/gatehouse.yaml:52: could not bind the admin listener to "127.0.0.1:${port}": Address already in use\n` +
      "  HINT: Is another gate running with this admin.listen, or is the path another file's?",
  );
  t.match(
    await refusal('/nonexistent/admin.sock'),
    /^\/etc\/gatehouse\.yaml:52: could not bind .*(No such file|Permission)/,
  );
  const long = `/${'x'.repeat(107)}`;
  t.match(await refusal(long), `Unix-domain socket path "${long}" is too long (maximum 107 bytes)`);
  t.match(
    await refusal('203.0.113.9:0'),
    /^\/etc\/gatehouse\.yaml:52: could not bind .*: it needs TLS and client certificates there$/,
  );
  t.match(
    await refusal('nonsense'),
    /^\/etc\/gatehouse\.yaml:52: invalid value for parameter "admin\.listen": "nonsense"/,
  );
});
