// What the bench counts of a peer: also the CPU of children that have ended, and the memory of those that live.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'tap';
import { cpuSeconds, memoryBytes } from '../../bench/process-tree.ts';
import { within } from '../support/run/waiting.ts';

const BURNT_SECONDS = 0.3;
/** More than any other process of the tree takes. */
const HELD_BYTES = 128 * 1024 * 1024;
/** No promise: under load a process may need long for a little CPU. */
const PATIENCE_MS = 60_000;

/** Burns CPU for as long as told and ends. It counts between its looks: a look takes more of the system's time than of its own. */
const BURN = `while (process.cpuUsage().user < ${BURNT_SECONDS * 1e6}) for (let i = 0; i < 1e6; i++);`;
/** Holds memory until its input ends. */
const HOLD = `globalThis.held = Buffer.alloc(${HELD_BYTES}, 1); console.log('held'); process.stdin.resume()`;
/** Told twice: first it waits for the one, then it starts the other. */
const PARENT = `
  const { spawn, spawnSync } = require('node:child_process');
  console.log('ready');
  process.stdin.once('data', () => {
    spawnSync(process.execPath, ['-e', ${JSON.stringify(BURN)}]);
    process.stdin.once('data', () => {
      spawn(process.execPath, ['-e', ${JSON.stringify(HOLD)}], { stdio: ['pipe', 'inherit', 'inherit'] });
    });
    console.log('burnt');
  });`;

await test('a parent, a child that ended and a child that lives', async (t) => {
  const parent = spawn(process.execPath, ['-e', PARENT], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => parent.kill('SIGKILL'));
  const { pid } = parent;
  if (pid === undefined) throw new Error('the parent did not start');
  const said = async (what: string): Promise<void> => {
    const [chunk] = await within(once(parent.stdout, 'data'), `the parent to say ${what}`, PATIENCE_MS);
    t.equal(String(chunk).trim(), what);
  };
  await said('ready');
  const before = { cpu: cpuSeconds(pid), memory: memoryBytes(pid) };
  parent.stdin.write('burn\n');
  await said('burnt');
  const cpu = cpuSeconds(pid) - before.cpu;
  t.ok(cpu >= BURNT_SECONDS - 0.01, `${cpu} s of CPU by a child that has ended`);
  parent.stdin.write('hold\n');
  await said('held');
  // No difference is taken: a page of Node's counts less in each process as more processes on the machine share it.
  t.ok(before.memory < HELD_BYTES, `${before.memory} bytes by the parent alone`);
  const memory = memoryBytes(pid);
  t.ok(memory >= HELD_BYTES, `${memory} bytes with a child that lives`);
  parent.kill('SIGKILL');
  await once(parent, 'close');
  t.throws(() => cpuSeconds(pid), /is gone/);
});
