// A reload that must run ssl_passphrase_command while the gate has no file descriptor for its pipe: the old state stays,
// the log says why, and the gate goes on.

import { createPrivateKey } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { runToEnd } from '../support/run/program.ts';

await test('EMFILE at the passphrase command', async (t) => {
  const command = 'echo sesame';
  const authority = testAuthority(t);
  const server = authority.server();
  const key = createPrivateKey(server.key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'sesame',
  });
  const gate = await startGate(t, {
    hba: 'hostssl all all all cert\n',
    upstream: { host: '127.0.0.1', port: 9 },
    authority,
    server: { ...server, key },
    config: {
      ssl_passphrase_command: command,
      ssl_passphrase_command_supports_reload: true,
      reload: { watch: false },
    },
  });
  await limitDescriptors(gate, firstFree(gate) + 1);
  gate.reload();
  const problem = await gate.waitForLog({ msg: /^could not execute command/ });
  t.equal(problem.msg, `could not execute command "${command}": Too many open files`);
  await gate.waitForLog({ msg: 'SSL configuration was not reloaded' });
  await limitDescriptors(gate, 1024);
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
});

/** So that a file can still be opened, and a pipe, which needs two descriptors, cannot. */
function firstFree(gate: Gate): number {
  const used = new Set(readdirSync(`/proc/${gate.pid}/fd`).map(Number));
  let free = 0;
  while (used.has(free)) free++;
  return free;
}

async function limitDescriptors(gate: Gate, limit: number): Promise<void> {
  await runToEnd('prlimit', [`--pid=${gate.pid}`, `--nofile=${limit}:`]);
}
