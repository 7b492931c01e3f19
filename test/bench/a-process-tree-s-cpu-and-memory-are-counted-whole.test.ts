// What the bench counts of a peer: also the CPU of children that have ended, and the memory of those that live.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'tap';
import { cpuSeconds, memoryBytes } from '../../bench/process-tree.ts';
import { within } from '../support/run/waiting.ts';

const BURNT_SECONDS = 0.3;
const HELD_BYTES = 64 * 1024 * 1024;

/** Burns CPU for as long as told and ends. */
const BURN = `while (process.cpuUsage().user < ${BURNT_SECONDS * 1e6});`;
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
    const [chunk] = await within(once(parent.stdout, 'data'), `the parent to say ${what}`);
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
  const memory = memoryBytes(pid) - before.memory;
  t.ok(memory >= HELD_BYTES, `${memory} bytes by a child that lives`);
  parent.kill('SIGKILL');
  await once(parent, 'close');
  t.throws(() => cpuSeconds(pid), /is gone/);
});
