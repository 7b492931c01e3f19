// PostgreSQL's rules for the private key's owner and permissions (semantics §2.4).

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'tap';
import { keyFileObjection } from '../../src/tls/material/key-file.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { loadingProblem, loadMaterial, tlsSettings } from '../support/certificates/tls.ts';

const REGULAR = 0o100000;
const FIFO = 0o010000;
const DIRECTORY = 0o040000;
const ACCESS = 'private key file "k" has group or world access';
const OWNER = 'private key file "k" must be owned by the database user or root';
const IRREGULAR = 'private key file "k" is not a regular file';

await test('owner and permissions', async (t) => {
  const own = 1000;
  // owner, effective user, mode, objection
  const table: readonly (readonly [number, number, number, string | null])[] = [
    [own, own, REGULAR | 0o600, null],
    [own, own, REGULAR | 0o400, null],
    [own, own, REGULAR | 0o700, null],
    [own, own, REGULAR | 0o000, null],
    [own, own, REGULAR | 0o640, ACCESS],
    [own, own, REGULAR | 0o620, ACCESS],
    [own, own, REGULAR | 0o610, ACCESS],
    [own, own, REGULAR | 0o604, ACCESS],
    [own, own, REGULAR | 0o602, ACCESS],
    [own, own, REGULAR | 0o601, ACCESS],
    [0, own, REGULAR | 0o600, null],
    [0, own, REGULAR | 0o640, null],
    [0, own, REGULAR | 0o440, null],
    [0, own, REGULAR | 0o660, ACCESS],
    [0, own, REGULAR | 0o650, ACCESS],
    [0, own, REGULAR | 0o644, ACCESS],
    [0, own, REGULAR | 0o642, ACCESS],
    [0, own, REGULAR | 0o641, ACCESS],
    // Root's file is root's, whichever user runs the gate.
    [0, 0, REGULAR | 0o600, null],
    [0, 0, REGULAR | 0o640, null],
    [0, 0, REGULAR | 0o660, ACCESS],
    [0, 0, REGULAR | 0o644, ACCESS],
    [2000, own, REGULAR | 0o600, OWNER],
    [2000, 0, REGULAR | 0o600, OWNER],
    [own, own, FIFO | 0o600, IRREGULAR],
    [own, own, DIRECTORY | 0o600, IRREGULAR],
  ];
  for (const [uid, effective, mode, expected] of table) {
    const objection = keyFileObjection('k', { uid, mode }, effective);
    t.equal(
      objection?.message ?? null,
      expected,
      `owner ${uid}, user ${effective}, mode ${mode.toString(8)}`,
    );
  }
});

await test('the rules hold for the file that a link points at', async (t) => {
  const authority = testAuthority(t);
  const server = authority.server();
  const keyFile = join(authority.directory, 'link.key');
  symlinkSync(server.keyFile, keyFile);
  t.ok(await loadMaterial(tlsSettings({ ...server, keyFile })));
  chmodSync(server.keyFile, 0o644);
  t.match(await loadingProblem(tlsSettings({ ...server, keyFile })), {
    message: `private key file "${keyFile}" has group or world access`,
  });
});

const isRoot = process.geteuid?.() === 0;
const notRoot = isRoot ? {} : { skip: 'only root can give files to other users' };

await test("a stranger's file is refused", notRoot, async (t) => {
  const server = testAuthority(t).server();
  chownSync(server.keyFile, 65534, 65534);
  t.match(await loadingProblem(tlsSettings(server)), {
    message: `private key file "${server.keyFile}" must be owned by the database user or root`,
  });
});

await test("root's file, readable by the group, is taken by a process of that group", notRoot, async (t) => {
  const authority = testAuthority(t);
  const server = authority.server();
  chmodSync(authority.directory, 0o755);
  chownSync(server.keyFile, 0, 65534);
  const modes = [
    [0o640, 'loaded'],
    [0o600, `could not load private key file "${server.keyFile}": Permission denied`],
    [0o660, `private key file "${server.keyFile}" has group or world access`],
  ] as const;
  const support = pathToFileURL(join(import.meta.dirname, '../support/certificates/tls.ts')).href;
  const script = `
    import { loadMaterial, tlsSettings } from ${JSON.stringify(support)};
    const files = ${JSON.stringify({ certFile: server.certFile, keyFile: server.keyFile })};
    await loadMaterial(tlsSettings(files)).then(
      () => console.log('loaded'),
      (error) => console.log(error.problems?.[0].message ?? error),
    );`;
  for (const [mode, expected] of modes) {
    chmodSync(server.keyFile, mode);
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      uid: 65534,
      gid: 65534,
      encoding: 'utf8',
      timeout: 90_000,
    });
    t.equal(stdout.trim(), expected, `${mode.toString(8)} ${stderr}`);
  }
});
