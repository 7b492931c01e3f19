// A short run of every fuzzer that needs no gate: the same seed each time, so that a failure can be repeated.

import { test } from 'tap';
import { fuzz } from '../../fuzz/engine.ts';
import { instrument } from '../../fuzz/instrument.ts';
import { targetNames, targets, type TargetName } from '../../fuzz/target.ts';

const SEED = 1;
const SECONDS = 1;

const WITH_A_GATE: readonly TargetName[] = ['connection'];

const coverage = instrument();

for (const name of targetNames.filter((each) => !WITH_A_GATE.includes(each))) {
  await test(name, async (t) => {
    const target = await targets[name]();
    try {
      const { executions, reached, found } = await fuzz({ target, coverage, seed: SEED, seconds: SECONDS });
      t.strictSame(
        found.map(({ input, error }) => [String(error), input.toString('base64')]),
        [],
      );
      t.ok(executions > target.seeds.length, `${executions} inputs`);
      t.ok(reached > 30, `${reached} blocks reached`);
    } finally {
      await target.close?.();
    }
  });
}
