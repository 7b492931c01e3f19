// A line is written before the call that logs it returns, wherever stdout takes it: what has been logged outlives its
// process.

import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test, type Test } from 'tap';
import { temporaryDirectory } from '../support/run/temporary.ts';

/** What a pipe takes while nobody reads it. */
const ROOM = 64 * 1024;

void test('a process that is killed has lost nothing that its pipe had room for', async (t) => {
  const fifo = join(temporaryDirectory(t), 'log');
  execFileSync('mkfifo', [fifo]);
  // The pipe has a reader, who reads nothing before the process has died: what fits does not depend on who is quick.
  const ours = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  t.teardown(() => closeSync(ours));
  t.equal(writeSync(ours, Buffer.alloc(ROOM)), ROOM, 'the pipe has the room that the lines need');
  t.equal(readWaiting(ours).length, ROOM);
  // A descriptor of its own: who starts a process makes the one that it hands over wait.
  const its = openSync(fifo, constants.O_WRONLY);
  const run = runLogging(300, "process.kill(process.pid, 'SIGKILL')", its);
  closeSync(its);
  t.match(run, { signal: 'SIGKILL', stderr: '' });
  isWhole(t, readWaiting(ours), 300);
});

void test('a process that ends by itself has lost nothing at all', async (t) => {
  const run = runLogging(5_000, 'process.exit(0)', 'pipe');
  t.match(run, { status: 0, stderr: '' });
  isWhole(t, run.stdout, 5_000);
});

/** Runs a process that logs so many lines to `stdout` and then ends as told. */
function runLogging(count: number, end: string, stdout: 'pipe' | number) {
  const log = fileURLToPath(new URL('../../src/telemetry/log.ts', import.meta.url));
  const program = `
    import { createLogger } from ${JSON.stringify(log)};
    const logger = createLogger('info');
    for (let i = 0; i < ${count}; i += 1) logger.info({ i }, 'line');
    ${end};`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    timeout: 60_000,
    stdio: ['ignore', stdout, 'pipe'],
  });
}

/** What waits in a pipe that a descriptor for reading and writing has opened. */
function readWaiting(fd: number): string {
  const bytes = Buffer.alloc(2 * ROOM);
  let length = 0;
  try {
    for (;;) length += readSync(fd, bytes, { offset: length });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
  }
  return bytes.toString('utf8', 0, length);
}

function isWhole(t: Test, text: string, count: number): void {
  const written = text.split('\n');
  t.equal(written.pop(), '', 'the last line is complete');
  t.equal(written.length, count);
  t.match(JSON.parse(written.at(-1) ?? ''), { i: count - 1 });
}
