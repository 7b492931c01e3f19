// A FIFO that nobody writes to, a socket, a device without an end or a directory in the place of each file that the
// configuration names: `check` and a reload say so at once, and the gate goes on as before.

import { execFileSync } from 'node:child_process';
import { getDiffieHellman } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { integer, pem, sequence } from '../../src/x509/encode.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { startGate } from '../support/run/gate.ts';
import { runProgram } from '../support/run/program.ts';
import type { Scope } from '../support/run/scope.ts';

const HBA = [
  'hostssl all all all cert map=m',
  'include further.conf',
  'hostssl @databases all all cert',
  'include_dir conf.d',
  '',
].join('\n');

const UPSTREAM = { host: '127.0.0.1', port: 9 };

const opening = (path: string, why: string): string =>
  `could not ${why === 'Is a directory' ? 'read' : 'open'} file "${path}": ${why}`;

/** The error for each file. Of one round all are replaced at once, because `check` names every problem. */
const ROUNDS: readonly Readonly<Record<string, (path: string, why: string) => string>>[] = [
  { 'gatehouse.yaml': (path, why) => `could not open configuration file "${path}": ${why}` },
  {
    'pg_hba.conf': opening,
    'pg_ident.conf': opening,
    'server.crt': (path, why) => `could not load server certificate file "${path}": ${why}`,
    'ca.crt': (path, why) => `could not load root certificate file "${path}": ${why}`,
    'ca.crl': (path, why) => `could not load SSL certificate revocation list file "${path}": ${why}`,
    'dh.pem': (path, why) => `could not open DH parameters file "${path}": ${why}`,
  },
  {
    'further.conf': opening,
    databases: opening,
    'conf.d/one.conf': (path, why) =>
      // A directory in it is not one of its files.
      why === 'Is a directory' ? '' : opening(path, why),
    'server.key': (path) => `private key file "${path}" is not a regular file`,
  },
];

const NOT_REGULAR = 'not a regular file';

/** Puts something else in the place of `path`; returns why it cannot be read. */
const KINDS: Readonly<Record<string, (path: string, t: Scope) => Promise<string> | string>> = {
  FIFO(path) {
    execFileSync('mkfifo', ['-m', '600', path]);
    return NOT_REGULAR;
  },
  'link to a FIFO'(path) {
    execFileSync('mkfifo', ['-m', '600', `${path}.fifo`]);
    symlinkSync(`${path}.fifo`, path);
    return NOT_REGULAR;
  },
  async socket(path, t) {
    const server = createServer().listen(path);
    await once(server, 'listening');
    t.after(() => server.close());
    return NOT_REGULAR;
  },
  'device without an end'(path) {
    symlinkSync('/dev/zero', path);
    return NOT_REGULAR;
  },
  directory(path) {
    mkdirSync(path);
    return 'Is a directory';
  },
};

for (const [kind, make] of Object.entries(KINDS)) {
  void test(`check names each file that is a ${kind}`, async (t) => {
    const authority = testAuthority(t);
    const { directory } = authority;
    const prime = BigInt(`0x${getDiffieHellman('modp14').getPrime('hex')}`);
    mkdirSync(join(directory, 'conf.d'));
    writeGateFiles(directory, authority, {
      hba: HBA,
      ident: 'm alice alice\n',
      upstream: UPSTREAM,
      config: { ssl_crl_file: 'ca.crl', ssl_dh_params_file: 'dh.pem' },
      files: {
        'further.conf': '# nothing\n',
        databases: 'app\n',
        'conf.d/one.conf': '# nothing\n',
        'ca.crl': authority.crl(),
        'dh.pem': pem('DH PARAMETERS', sequence(integer(prime), integer(2n))),
      },
    });
    const check = () => runProgram(['check', '--config', join(directory, 'gatehouse.yaml')]);
    t.match(await check(), { code: 0 }, 'all is well before');
    for (const round of ROUNDS) {
      const texts: string[] = [];
      const undo: (() => void)[] = [];
      for (const [file, error] of Object.entries(round)) {
        const path = join(directory, file);
        const content = readFileSync(path);
        rmSync(path);
        texts.push(error(path, await make(path, t)));
        undo.push(() => {
          rmSync(path, { recursive: true });
          writeFileSync(path, content, { mode: 0o600 });
        });
      }
      const { code, stdout, stderr } = await check();
      t.equal(code, 1);
      for (const text of texts) t.ok((stdout + stderr).includes(text), `${text}\n${stdout}${stderr}`);
      for (const putBack of undo) putBack();
    }
  });
}

void test('a reload that meets a FIFO keeps the old state, says so, and holds up nothing', async (t) => {
  const gate = await startGate(t, { hba: 'hostssl all all all cert\n', upstream: UPSTREAM });
  for (const [file, line] of [
    ['ca.crt', 'SSL configuration was not reloaded'],
    ['pg_hba.conf', `${gate.path('pg_hba.conf')} was not reloaded`],
  ] as const) {
    const content = readFileSync(gate.path(file));
    rmSync(gate.path(file));
    execFileSync('mkfifo', [gate.path(file)]);
    const from = gate.logLength();
    const refused = await gate.admin('/reload', { method: 'POST' });
    t.equal(refused.status, 422);
    t.match(JSON.parse(refused.body), { errors: [{ message: /: not a regular file$/ }] });
    await gate.waitForLog({ msg: line }, { from });
    t.equal((await gate.admin('/healthz')).status, 200, 'the gate answers');
    rmSync(gate.path(file));
    writeFileSync(gate.path(file), content);
    t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200, 'what is mended is read');
  }
});
