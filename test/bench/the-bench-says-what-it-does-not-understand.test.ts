// Wrong command lines of the bench: exit status 2, what is wrong, and the usage.

import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { runToEnd } from '../support/run/program.ts';

const BENCH = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));

await test('a command line that cannot be understood', async (t) => {
  for (const [args, complaint] of [
    [['--only', 'queries,speed'], 'there is no measure "speed"'],
    [['--rounds', '0'], '--rounds takes a number from 1 on, not "0"'],
    [['--write-docs', '--quick'], '--write-docs takes the figures of a whole run'],
    [['--variant=--x', '--variant-from', '/tmp'], '--variant and --variant-from are two second gates'],
    [['--fast'], "Unknown option '--fast'"],
  ] as const) {
    const { code, stdout, stderr } = await runToEnd(process.execPath, [BENCH, ...args]);
    t.equal(code, 2, args.join(' '));
    t.equal(stdout, '');
    t.ok(stderr.startsWith(complaint), stderr);
    t.match(stderr, /^usage: npm run bench/m);
  }
});
