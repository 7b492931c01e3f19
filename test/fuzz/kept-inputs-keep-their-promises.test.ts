// Every input that once broke a promise, or that reaches far, run again: test/fixtures/fuzz/TARGET/.

import { test } from 'tap';
import { regressionFiles } from '../../fuzz/regressions.ts';
import { targetNames, targets } from '../../fuzz/target.ts';

for (const name of targetNames) {
  await test(name, async (t) => {
    const inputs = regressionFiles(name);
    t.ok(inputs.size > 0, 'there are inputs');
    const target = await targets[name]();
    try {
      for (const [file, input] of inputs) await t.resolves(async () => await target.run(input), file);
    } finally {
      await target.close?.();
    }
  });
}
