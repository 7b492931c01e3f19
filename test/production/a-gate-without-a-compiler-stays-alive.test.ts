// NODE_OPTIONS=--jitless, for machines that let no process write machine code: the compilers that wait while the program is
// loaded (src/base/lean-start.ts) stay off for good. V8 would die of the first function that it compiles.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';

/** Longer than the compilers wait. */
const LOADED_MS = 1500;

await test('a gate that may not compile answers on', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust',
    upstream: { host: '127.0.0.1', port: 1 },
    // Node reads no TypeScript without WebAssembly, which goes with the compilers.
    via: 'dist',
    env: { NODE_OPTIONS: '--jitless' },
  });
  const begin = performance.now();
  let answers = 0;
  // What is asked that often is what V8 would compile.
  while (performance.now() - begin < LOADED_MS || answers < 200) {
    const { status } = await gate.admin('/healthz');
    if (status !== 200) t.fail(`status ${status}`);
    answers += 1;
  }
  t.equal((await gate.admin('/metrics')).status, 200);
});
