// The quickest run of the bench against the peers that are here: its table can be read by a program, its JSON too, and
// a machine that is busy with tests is not taken for one to draw conclusions from.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PROXIES = ['gate', 'stunnel', 'pgbouncer'];

/** The cells of each line of the table. */
function tableOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

await test('one round of small queries', needs('psql', 'pgbench'), async (t) => {
  const json = join(temporaryDirectory(t), 'result.json');
  const args = ['--quick', '--only', 'queries', '--rounds', '1', '--json', json];
  const { code, stdout, stderr } = await runToEnd(process.execPath, ['bench/main.ts', ...args], {
    cwd: ROOT,
    timeoutMs: 100_000,
  });
  t.equal(code, 0, stderr);
  const [header = [], rule = [], ...rows] = tableOf(stdout);
  t.strictSame(header, ['measure', 'unit', ...PROXIES, 'postgres-tls', 'bare-node', 'ratio', 'goal']);
  t.ok(rule.every((cell) => /^-+$/.test(cell)));
  t.strictSame(
    rows.map(([measure, unit]) => [measure, unit]),
    [
      ['small query', 'CPU µs'],
      ['small queries', '1/s'],
    ],
  );
  for (const row of rows) {
    for (const name of PROXIES) {
      const isLeftOut = stdout.includes(`- left out: ${name}: not installed`);
      t.equal(Number(row[header.indexOf(name)]) > 0, !isLeftOut, `${name} in ${row.join(' | ')}`);
    }
  }
  t.match(stdout, /^Draw no conclusions from these figures: the run was a quick one/m);
  t.notMatch(stdout, /\b(met|missed)\b/, 'no goal is called met or missed');

  const report: unknown = JSON.parse(readFileSync(json, 'utf8'));
  t.match(report, {
    quick: true,
    rounds: 1,
    machine: { cores: Number },
    samples: { 'query-cpu': { gate: [Number] } },
  });
});
