// While the program is loaded V8's optimizing compilers wait (src/base/lean-start.ts). If they waited for ever, the relay
// would take several times the processor time.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { test } from 'tap';

const leanStart = new URL('../../src/base/lean-start.ts', import.meta.url).href;

/** Calls a function again and again until V8 says that it is optimized, or for twenty seconds. */
const program = `
  import { startLean } from ${JSON.stringify(leanStart)};
  startLean();
  function hot(a) { let sum = 0; for (let i = 0; i < 1000; i++) sum += i ^ a; return sum; }
  const isOptimized = () => %ActiveTierIsMaglev(hot) || %ActiveTierIsTurbofan(hot);
  const run = () => { for (let i = 0; i < 2000; i++) hot(i); };
  const begin = performance.now();
  while (performance.now() - begin < 200) run();
  const early = isOptimized();
  while (!isOptimized() && performance.now() - begin < 20_000) {
    run();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  console.log(JSON.stringify({ early, late: isOptimized() }));
`;

await test('the compilers wait at first, and not for long', async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--allow-natives-syntax',
    '--input-type=module',
    '-e',
    program,
  ]);
  t.strictSame(JSON.parse(stdout), { early: false, late: true });
});
