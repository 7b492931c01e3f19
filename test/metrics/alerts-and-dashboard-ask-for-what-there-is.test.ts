// config/prometheus and config/grafana: every query names metrics and labels that exist, Prometheus reads each, and
// promtool's unit tests show every alert firing and not firing.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { parse } from 'yaml';
import { codes } from '../../src/base/codes.ts';
import { runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs, toolPath } from '../support/run/tools.ts';
import { exercisedMetrics, parseExposition } from './exercised.ts';
import type { Family } from './exercised.ts';

const folder = fileURLToPath(new URL('../../config/', import.meta.url));
const alerts = readFileSync(`${folder}prometheus/alerts.yml`, 'utf8');
const alertTests = readFileSync(`${folder}prometheus/alerts_test.yml`, 'utf8');
const dashboard = readFileSync(`${folder}grafana/dashboard.json`, 'utf8');

/** The values of a key wherever it stands in a document. */
function everyValueOf(key: string, document: unknown): string[] {
  if (typeof document !== 'object' || document === null) return [];
  return Object.entries(document).flatMap(([name, value]) =>
    name === key && typeof value === 'string' ? [value] : everyValueOf(key, value),
  );
}

const alertQueries = everyValueOf('expr', parse(alerts));
const panelQueries = everyValueOf('expr', JSON.parse(dashboard));

/** Labels that a scrape adds. */
const scrapeLabels = ['job', 'instance'];

/** What a query asks for that the exposition does not have. */
function unknownIn(query: string, families: ReadonlyMap<string, Family>): string[] {
  const selectors = [...query.matchAll(/\b((?:gatehouse|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)];
  if (selectors.length === 0 && !/\bup\{/.test(query)) return [`no metric in: ${query}`];
  return selectors.flatMap(([, name = '', matchers = '']) => {
    const base = families.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
    const family = families.get(base);
    if (family === undefined || (base !== name && family.type !== 'histogram')) return [name];
    const labels = [...matchers.matchAll(/(\w+)(?:=~?|!=|!~)"/g)].map((match) => match[1] ?? '');
    const known = [...family.labels, ...scrapeLabels, ...(name.endsWith('_bucket') ? ['le'] : [])];
    return labels.filter((label) => !known.includes(label)).map((label) => `${name}{${label}}`);
  });
}

await test('every query names metrics and labels that exist', async (t) => {
  const families = parseExposition(await exercisedMetrics().text());
  t.ok(alertQueries.length >= 15 && panelQueries.length >= 25, 'the queries were found');
  for (const query of [...alertQueries, ...panelQueries]) t.strictSame(unknownIn(query, families), [], query);
  t.strictSame(unknownIn('rate(gatehouse_nonsense_total[5m])', families), ['gatehouse_nonsense_total']);
  t.strictSame(unknownIn('gatehouse_sessions{nonsense="1"}', families), ['gatehouse_sessions{nonsense}']);

  const shown = panelQueries.join('\n');
  const missing = [...families.keys()].filter(
    (name) => name.startsWith('gatehouse_') && !shown.includes(name),
  );
  t.strictSame(missing, [], 'the dashboard shows every metric of the gate');
});

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly fieldConfig?: {
    readonly defaults: { readonly unit?: string };
    readonly overrides: readonly { readonly matcher: { readonly options: string } }[];
  };
}

await test('what a panel shows has its unit and fits on its scale', async (t) => {
  const { panels }: { panels: readonly Panel[] } = JSON.parse(dashboard);
  const inSeconds = panels.filter(({ fieldConfig }) => fieldConfig?.defaults.unit === 's');
  t.ok(inSeconds.length > 5);
  for (const { title, targets = [], fieldConfig } of inSeconds) {
    const hasLatencies = targets.some(({ expr }) => expr.includes('histogram_quantile'));
    for (const { expr, legendFormat } of targets) {
      const isSetApart = fieldConfig?.overrides.some(({ matcher }) => matcher.options === legendFormat);
      t.ok(isSetApart === true || expr.includes('_seconds'), `${title}: ${legendFormat} is no time`);
      t.notOk(hasLatencies && expr.includes('time()'), `${title}: ${legendFormat} hides milliseconds`);
    }
  }
});

await test('every outcome that a query names is a code', async (t) => {
  const outcomes = ['relayed', ...Object.keys(codes)];
  for (const query of [...alertQueries, ...panelQueries]) {
    if (!query.includes('gatehouse_connections_total')) continue;
    for (const [, , pattern = ''] of query.matchAll(/\boutcome(=~?|!=|!~)"([^"]*)"/g)) {
      for (const alternative of pattern.split('|')) {
        const matches = outcomes.filter((outcome) => new RegExp(`^(?:${alternative})$`).test(outcome));
        t.not(matches.length, 0, `${alternative} matches ${matches.join(', ')}`);
      }
    }
  }
});

await test('every alert has a test in which it fires', async (t) => {
  const names = everyValueOf('alert', parse(alerts));
  for (const name of names) {
    const cases = alertTests.split('- alertname: ').filter((part) => part.startsWith(`${name}\n`));
    t.ok(
      cases.some((part) => part.includes('exp_labels:')),
      `${name} fires`,
    );
    t.ok(
      cases.some((part) => part.includes('exp_alerts: []')),
      `${name} keeps quiet`,
    );
  }
});

await test('promtool reads the alerts and their tests pass', needs('promtool'), async (t) => {
  for (const args of [
    ['check', 'rules', '--lint=all', '--lint-fatal', 'alerts.yml'],
    ['test', 'rules', 'alerts_test.yml'],
  ]) {
    const { code, stdout, stderr } = await runToEnd(toolPath('promtool'), args, {
      cwd: `${folder}prometheus`,
    });
    t.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
  }
});

await test('promtool reads every query of the dashboard', needs('promtool'), async (t) => {
  const rules = panelQueries.map((expr) => ({
    record: 'x:y:z',
    expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$__interval', '5m'),
  }));
  const file = `${temporaryDirectory(t)}/rules.yml`;
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  const { code, stderr } = await runToEnd(toolPath('promtool'), ['check', 'rules', '--lint=none', file]);
  t.equal(stderr, '');
  t.equal(code, 0);
});
