// The demo as a stranger runs it: its first psql line connects, its second one says what is missing, Ctrl-C ends it.

import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, watch } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import t from 'tap';
import { cleanEnvironment, programCommand, runProgram, runToEnd } from '../support/run/program.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';
import { within } from '../support/run/waiting.ts';

type Demo = ChildProcessByStdio<null, Readable, Readable>;

/** PGlite compiles itself for some seconds, longer on a busy machine. */
const START_MS = 60_000;

/** Starts `demo`; its temporary directory is made in `tmp`. */
function startDemo(scope: Scope, tmp: string, ...args: readonly string[]): Demo {
  const [command, ...before] = programCommand();
  const child = spawn(command, [...before, 'demo', ...args], {
    env: cleanEnvironment({ TMPDIR: tmp }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stderr.resume();
  atEnd(scope, () => child.kill('SIGKILL'));
  return child;
}

/** Everything up to the invitation's end. */
async function invitationOf(demo: Demo): Promise<string> {
  let output = '';
  demo.stdout.setEncoding('utf8');
  const complete = new Promise<void>((resolve, reject) => {
    demo.stdout.on('data', (chunk: string) => {
      output += chunk;
      if (output.includes('Ctrl-C ends everything')) resolve();
    });
    demo.once('close', () => {
      reject(new Error(`the demo ended: ${output}`));
    });
  });
  await within(complete, 'the psql line', START_MS);
  return output;
}

async function interrupt(demo: Demo): Promise<number | null> {
  const closed = once(demo, 'close');
  demo.kill('SIGINT');
  await within(closed, 'the demo to end', START_MS);
  return demo.exitCode;
}

void t.test('both psql lines, with the wanted port taken', needs('psql'), async (test) => {
  const tmp = join(temporaryDirectory(test), "a b'c");
  mkdirSync(tmp);
  const occupant = createServer().listen(0, '127.0.0.1');
  await once(occupant, 'listening');
  atEnd(test, () => occupant.close());
  const address = occupant.address();
  const taken = typeof address === 'object' && address !== null ? address.port : 0;

  const demo = startDemo(test, tmp, '--port', `${taken}`);
  const lines = (await invitationOf(demo)).split('\n').filter((line) => line.startsWith('  psql '));
  test.equal(lines.length, 2);
  const [connects = '', refused = ''] = lines.map((line) => line.trim());
  test.notMatch(connects, `port=${taken} `, 'another port was taken');

  // The shell reads the line as a person's would.
  const good = await runToEnd('sh', ['-c', `${connects} -XAtc 'select 1'`]);
  test.strictSame(good, { code: 0, signal: null, stdout: '1\n', stderr: '' });
  const bad = await runToEnd('sh', ['-c', `${refused} -XAtc 'select 1'`]);
  test.equal(bad.code, 2);
  test.match(bad.stderr, 'FATAL:  connection requires a valid client certificate');

  const directory = readdirSync(tmp).map((name) => join(tmp, name));
  test.equal(directory.length, 1);
  test.equal(await interrupt(demo), 0);
  test.notOk(existsSync(directory[0] ?? ''), 'its directory is gone');
});

void t.test('Ctrl-C while it still starts', async (test) => {
  const tmp = temporaryDirectory(test);
  const watcher = watch(tmp);
  atEnd(test, () => watcher.close());
  const made = once(watcher, 'change');
  const demo = startDemo(test, tmp);
  // Its directory is the first thing it makes.
  await within(made, 'the directory', START_MS);
  test.equal(await interrupt(demo), 0);
  test.strictSame(readdirSync(tmp), []);
});

void t.test('a port that is none', async (test) => {
  const { code, stderr } = await runProgram(['demo', '--port', '65536']);
  test.equal(code, 2);
  test.match(stderr, 'It must be a number from 0 to 65535.');
});
