// A passphrase command waits, perhaps for a person who types, when the gate is told to end: the command ends with it, at
// the start as at a reload. The process does not stay until there is an answer.

import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { writeGateFiles, type GateFiles } from '../support/run/gate-files.ts';
import { cleanEnvironment, programCommand } from '../support/run/program.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { supervise } from '../support/run/supervise.ts';
import { within } from '../support/run/waiting.ts';

const PASSPHRASE = 'secret';
/** Where `waits` is, it says so in the FIFO `begun` and answers nothing. */
const COMMAND = `if [ -e waits ]; then echo >begun; exec sleep 1000; fi; echo ${PASSPHRASE}`;
const FINE = { code: 0, signal: null };

function files(t: Scope): GateFiles {
  const server = testAuthority(t).server();
  const encryption = { cipher: 'aes-256-cbc', passphrase: PASSPHRASE } as const;
  const key = createPrivateKey(server.key).export({ type: 'pkcs8', format: 'pem', ...encryption });
  return {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 1 },
    server: { ...server, key },
    config: {
      ssl_passphrase_command: COMMAND,
      ssl_passphrase_command_supports_reload: 'on',
      reload: { watch: 'off' },
    },
  };
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  await test(`${signal} while a reload waits for it`, async (t) => {
    const gate = await startGate(t, files(t));
    execFileSync('mkfifo', [gate.path('begun')]);
    await writeFile(gate.path('waits'), '');
    gate.reload();
    await within(readFile(gate.path('begun')), 'the command to begin');
    gate.signal(signal);
    // Its output is at an end too: the command, which has the gate's stderr, is gone.
    t.strictSame(await within(gate.exited, 'the gate to end'), FINE);
  });

  await test(`${signal} while the start waits for it`, async (t) => {
    const authority = testAuthority(t);
    const { directory } = authority;
    writeGateFiles(directory, authority, files(t));
    execFileSync('mkfifo', [join(directory, 'begun')]);
    await writeFile(join(directory, 'waits'), '');
    const [command, ...args] = programCommand('dist');
    const child = await supervise({
      command,
      args: [...args, 'serve', '--config', join(directory, 'gatehouse.yaml')],
      cwd: directory,
      env: cleanEnvironment(),
    });
    atEnd(t, () => child.stop());
    const [stderr, stdout] = [text(child.stderr), text(child.stdout)];
    await within(readFile(join(directory, 'begun')), 'the command to begin');
    child.kill(signal);
    t.strictSame(await within(child.exited, 'the gate to end'), FINE, 'as after a drain');
    t.match(await stderr, `command "${COMMAND}" failed\n  DETAIL: The gate was told to end.\n`);
    t.equal(await stdout, '');
  });
}
