// `npm run soak` for some seconds, so that it works on the day when somebody lets it run for a night.

import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { runToEnd } from '../support/run/program.ts';

const SOAK = fileURLToPath(new URL('../../soak/main.ts', import.meta.url));

await test('twelve seconds, a few clients, most faults', async (t) => {
  const args = [SOAK, '--minutes', '0.2', '--seed', '1', '--workers', '2', '--clients', '6'];
  const { code, stdout, stderr } = await runToEnd(process.execPath, args, { timeoutMs: 110_000 });
  t.equal(stderr, '');
  t.equal(code, 0);
  const report: Record<string, unknown> = JSON.parse(stdout.slice(stdout.indexOf('{\n')));
  t.strictSame(report['violations'], []);
  t.equal(report['sessions lost unexpectedly'], 0);
  for (const figure of ['connections', 'queries answered', 'bytes checked', 'reloads accepted']) {
    t.ok(Number(report[figure]) > 0, `${figure}: ${String(report[figure])}`);
  }
});
