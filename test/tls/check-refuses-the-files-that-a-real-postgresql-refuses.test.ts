// The same files of CAs and lists, given to Debian's PostgreSQL, which is linked with OpenSSL 3, and to `check`: what the
// server refuses at its start is refused in the same words, and what it takes is taken.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import tap, { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { serverAccount } from '../support/servers/postgres-binaries.ts';
import { runProgram } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs, toolPath } from '../support/run/tools.ts';

/** What stands after the last colon of PostgreSQL's message, or null when it is content with the files. */
function reasonOf(output: string): string | null {
  return /could not load [^\n]*: ([^\n"]*)/.exec(output)?.[1]?.trim() ?? null;
}

/** Files that load and leave no CA with a list: its own CA is passed over, or there is no list at all. */
const REFUSING_ALL = ['text before BEGIN on its line', 'a certificate for a list'];

/** No promise: it starts `check` and a server for each file, one after the other. */
const PATIENCE_MS = 300_000;
tap.setTimeout(PATIENCE_MS);

// Debian ships the server beside pgbench.
await test('13 files', { ...needs('pgbench'), timeout: PATIENCE_MS }, async (t) => {
  const bin = dirname(toolPath('pgbench'));
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o755);
  const account = serverAccount();
  const asServer = { ...account, cwd: '/', encoding: 'utf8', timeout: 60_000 } as const;
  const data = join(directory, 'data');
  mkdirSync(data);
  chownSync(data, account.uid, account.gid);
  t.equal(spawnSync(join(bin, 'initdb'), ['-D', data, '--no-sync'], asServer).status, 0);

  const [first, second] = [testAuthority(t), testAuthority(t, { cn: 'Second CA' })];
  const [A, B, L, M] = [first.cert, second.cert, first.crl(), second.crl()];
  const empty = '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n';
  const table: readonly (readonly [name: string, ca: string, crl: string])[] = [
    ['lists glued together', A, L.trimEnd() + M],
    ['CAs glued together', A.trimEnd() + B, L],
    ['a byte order mark', `\xef\xbb\xbf${A}${B}`, L],
    ['text before BEGIN on its line', `x${A}${B}`, L],
    ['a trusted certificate alone', A.replaceAll(' CERT', ' TRUSTED CERT'), L],
    ['a block cut short', A + B.slice(0, 200), L],
    ['a wrong character', A + B.replace(/\n./, '\n!'), L],
    ['an empty block', A + empty, L],
    ['a list among CAs', A + L, L],
    ['a certificate for a list', A, A],
    ['CRLF', (A + B).replaceAll('\n', '\r\n'), L],
    ['a form feed before BEGIN', `${A}\f${B}`, L],
    ['a NUL', `${A}\0\n${B}`, L],
  ];
  for (const [name, ca, crl] of table) {
    const config = { ssl_crl_file: 'ca.crl' };
    writeGateFiles(directory, first, {
      hba: 'hostssl all all all cert\n',
      upstream: { host: '127.0.0.1', port: 5432 },
      config,
    });
    writeFileSync(join(directory, 'ca.crt'), Buffer.from(ca, 'latin1'));
    writeFileSync(join(directory, 'ca.crl'), Buffer.from(crl, 'latin1'));
    const checked = await runProgram(['check', '--config', join(directory, 'gatehouse.yaml')]);
    chownSync(join(directory, 'server.key'), account.uid, account.gid);
    const settings = {
      listen_addresses: '',
      unix_socket_directories: '/nowhere',
      ssl: 'on',
      ssl_cert_file: join(directory, 'server.crt'),
      ssl_key_file: join(directory, 'server.key'),
      ssl_ca_file: join(directory, 'ca.crt'),
      ssl_crl_file: join(directory, 'ca.crl'),
    };
    const flags = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
    // It never starts: there is no such directory for its socket, which comes after the files.
    const server = spawnSync(join(bin, 'postgres'), ['-D', data, ...flags], asServer);
    const expected = reasonOf(server.stderr);
    t.match(server.stderr, expected === null ? /nowhere/ : /could not load/, name);
    t.equal(reasonOf(checked.stdout + checked.stderr), expected, name);
    // PostgreSQL starts with files by which every client is refused; check says so, and that is an error.
    const refusesAll = REFUSING_ALL.includes(name);
    if (refusesAll) t.match(checked.stdout, /revocation list/, name);
    t.equal(checked.code, expected === null && !refusesAll ? 0 : 1, name);
    chownSync(join(directory, 'server.key'), process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  }
});
