// docs/metrics.md against the exposition: the same metrics, types and labels; and its example queries parse.

import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'tap';
import { runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs, toolPath } from '../support/run/tools.ts';
import { exercisedMetrics, parseExposition } from './exercised.ts';

const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');

interface Documented {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly query: string;
}

const documented: readonly Documented[] = page
  .split(/^### /m)
  .slice(1)
  .map((section) => ({
    name: /^`([^`]+)`\n/.exec(section)?.[1] ?? '',
    type: /^Type: (\w+)\. /m.exec(section)?.[1] ?? '',
    labels: [...(/ Labels: (.*)\.$/m.exec(section)?.[1] ?? '').matchAll(/`(\w+)`/g)].map(
      (match) => match[1] ?? '',
    ),
    query: /^```promql\n(.*)\n```$/m.exec(section)?.[1] ?? '',
  }));

await test('names, types and labels are those of the exposition', async (t) => {
  const families = parseExposition(await exercisedMetrics().text());
  const ours = [...families].filter(([name]) => name.startsWith('gatehouse_'));
  t.strictSame(documented.map(({ name }) => name).toSorted(), ours.map(([name]) => name).toSorted());
  for (const { name, type, labels } of documented) {
    t.equal(type, families.get(name)?.type, `${name}: type`);
    t.strictSame(labels, families.get(name)?.labels, `${name}: labels`);
  }
  const listed = [...page.matchAll(/^\| \[`(\w+)`\]\(#(\w+)\)/gm)];
  t.strictSame(
    new Set(listed.map((match) => match[1])),
    new Set(ours.map(([name]) => name)),
    'the table lists all',
  );
  t.ok(
    listed.every((match) => match[1] === match[2]),
    'and links to each',
  );
});

await test(
  'every example is a query that Prometheus reads, about its own metric',
  needs('promtool'),
  async (t) => {
    const rules = documented.map(({ name, query }) => {
      t.match(query, name, `${name}: the example asks for it`);
      return { record: 'x:y:z', expr: query };
    });
    const file = `${temporaryDirectory(t)}/rules.yml`;
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'examples', rules }] }));
    const { code, stderr } = await runToEnd(toolPath('promtool'), ['check', 'rules', '--lint=none', file]);
    t.equal(stderr, '');
    t.equal(code, 0);
  },
);
