// SIGKILL gives a test no chance to tidy up; its server and its directory are gone all the same.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'tap';
import { PATIENCE_MS } from '../support/run/waiting.ts';

const script = `
  import { startPostgres } from ${JSON.stringify(new URL('../support/servers/postgres.ts', import.meta.url).href)};
  const server = await startPostgres({ version: 18 });
  process.stdout.write(JSON.stringify({ pid: server.pid, directory: server.socketDir }) + '\\n');
`;

await test('a test that is killed', async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const line: string = (await once(createInterface({ input: child.stdout }), 'line'))[0];
  const { pid, directory }: { pid: number; directory: string } = JSON.parse(line);
  t.ok(isRunning(pid) && existsSync(directory), 'the server runs');
  child.kill('SIGKILL');
  // No channel to either process is left to wait on: look again until the deadline.
  const deadline = Date.now() + PATIENCE_MS;
  while ((isRunning(pid) || existsSync(directory)) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.notOk(isRunning(pid), 'the server is gone');
  t.notOk(existsSync(directory), 'its directory is gone');
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
