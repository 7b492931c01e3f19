// A gate is told to end while a reload still waits for its passphrase command, which then ends with the gate. What the
// reload brings all the same names another catalogue. No session with it is begun: the process would never end.

import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { within } from '../support/run/waiting.ts';
import { serverFor } from './catalog-server.ts';

const PASSPHRASE = 'secret\n';

await test('a reload that ends after the gate begins nothing anew', async (t) => {
  const server = testAuthority(t).server();
  const key = createPrivateKey(server.key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: PASSPHRASE.trim(),
  });
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: await scriptedUpstream(
      t,
      serverFor('reader', async (connection) => await connection.stall()),
    ),
    server: { ...server, key },
    config: {
      ssl_passphrase_command: 'cat passphrase',
      ssl_passphrase_command_supports_reload: 'on',
      reload: { watch: 'off' },
    },
    files: { passphrase: PASSPHRASE },
  });
  rmSync(gate.path('passphrase'));
  execFileSync('mkfifo', [gate.path('passphrase')]);
  const settings = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
  gate.rewrite('gatehouse.yaml', `${settings}auth_user: reader\n`);
  gate.reload();
  await gate.waitForLog({ msg: 'reloading configuration files' });
  gate.signal('SIGINT');
  await gate.waitForLog({ msg: 'stopped' });
  await gate.waitForLog({ msg: /^reloaded: settings \(auth_user\)/ });
  t.strictSame(await within(gate.exited, 'the gate to end'), { code: 0, signal: null });
});
