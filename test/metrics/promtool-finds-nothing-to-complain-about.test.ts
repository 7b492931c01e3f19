// The whole exposition given to Prometheus's own linter.

import { test } from 'tap';
import { sumMetrics } from '../../src/telemetry/sum.ts';
import { runToEnd } from '../support/run/program.ts';
import { needs, toolPath } from '../support/run/tools.ts';
import { exercisedMetrics } from './exercised.ts';

/** Metrics that prom-client brings; their names are its own. */
const foreign = /^(nodejs|process)_/;

await test('promtool check metrics', needs('promtool'), async (t) => {
  const metrics = exercisedMetrics();
  for (const input of [
    await metrics.text(),
    await sumMetrics([await metrics.json(), await metrics.json()]),
  ]) {
    const { stdout, stderr } = await runToEnd(toolPath('promtool'), ['check', 'metrics'], { input });
    const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !foreign.test(line));
    t.strictSame(complaints, []);
  }
  const broken = 'gatehouse_thing_total{a="b} 1\n';
  const { code } = await runToEnd(toolPath('promtool'), ['check', 'metrics'], { input: broken });
  t.not(code, 0, 'it does read what it is given');
});
