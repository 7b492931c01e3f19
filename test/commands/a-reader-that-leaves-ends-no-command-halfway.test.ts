// Standard output that takes no more: a pipe whose reader has gone, as behind `| head`, and a full disk.

import { spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'tap';
import { cleanEnvironment, programCommand } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { within } from '../support/run/waiting.ts';

await test('a reader that has gone: the command does its work, and its exit status is its own', async (t) => {
  const directory = temporaryDirectory(t);
  const hba = join(directory, 'pg_hba.conf');
  writeFileSync(hba, 'local all all peer\nhost all all all md5\n');
  const out = join(directory, 'out');
  const table: [args: string[], code: number][] = [
    [['migrate', '--hba', hba, '--out', out], 0],
    [['check', '--config', join(directory, 'nowhere.yaml')], 1],
    [['completion', 'bash'], 0],
    [['--help'], 0],
  ];
  for (const [args, expected] of table) {
    const { code, stderr } = await runInto('pipe', args);
    t.equal(stderr, '', args.join(' '));
    t.equal(code, expected, args.join(' '));
  }
  t.equal(readdirSync(out).length, 4, 'every file is written');
});

const FULL = '/dev/full';

await test(
  'a full disk is said in one line, and the exit status is 1',
  { skip: existsSync(FULL) ? false : `needs ${FULL}` },
  async (t) => {
    const table: [args: string[], input: string][] = [
      [['--version'], ''],
      [['completion', 'fish'], ''],
      [['secret', '--plain', 'app'], 'a password\n'],
    ];
    for (const [args, input] of table) {
      const full = openSync(FULL, 'w');
      const { code, stderr } = await runInto(full, args, input);
      closeSync(full);
      const line = 'pg-gatehouse: could not write to standard output: No space left on device\n';
      t.equal(stderr, line, args.join(' '));
      t.equal(code, 1, args.join(' '));
    }
  },
);

/** @param output a file, or a pipe whose reader has gone before the program begins */
async function runInto(output: number | 'pipe', args: readonly string[], input = '') {
  const [command, ...before] = programCommand('dist');
  const stdio: StdioOptions = ['pipe', output, 'pipe'];
  const child = spawn(command, [...before, ...args], { env: cleanEnvironment(), stdio });
  try {
    child.stdout?.destroy();
    child.stdin?.end(input);
    const closed = once(child, 'close');
    const stderr = child.stderr === null ? '' : await within(text(child.stderr), 'its end');
    await closed;
    return { code: child.exitCode, stderr };
  } finally {
    child.kill('SIGKILL');
  }
}
