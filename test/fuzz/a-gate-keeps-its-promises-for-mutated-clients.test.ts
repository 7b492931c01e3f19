// A short run of the whole-connection fuzzer: nobody reaches the upstream but by a rule, whatever bytes he sends.

import { test } from 'tap';
import { fuzz } from '../../fuzz/engine.ts';
import { instrument } from '../../fuzz/instrument.ts';
import { targets } from '../../fuzz/target.ts';

await test('clients in clear and inside TLS, good, mutated and random', async (t) => {
  const coverage = instrument();
  const target = await targets.connection();
  try {
    const { executions, found } = await fuzz({ target, coverage, seed: 1, seconds: 5 });
    t.strictSame(
      found.map(({ input, error }) => [String(error), input.toString('base64')]),
      [],
    );
    t.ok(executions > target.seeds.length, `${executions} connections`);
  } finally {
    await target.close?.();
  }
});
