// docs/errors.md, Lines without a code: whoever meets a warning or an error of the gate in the log finds its words there.
// The texts are those of src/, wherever a line is logged as `warn` or `error`.

import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'tap';

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
const section = page.slice(page.indexOf('\n## Lines without a code\n'));
const src = new URL('../../src/', import.meta.url);

/** What stands between the brackets of each `log.warn(…)` and `log.error(…)`. */
const calls = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .flatMap((name) => [
    ...readFileSync(new URL(name, src), 'utf8').matchAll(/\blog\.(?:warn|error|fatal)\(([^]*?)\);\n/gi),
  ])
  .map(([, given = '']) => given);

await test('each text that stands in a call', async (t) => {
  const texts = calls.flatMap(longestText);
  t.ok(texts.length > 12);
  for (const text of texts) {
    // The page has what stands before the reason.
    const [words = ''] = text.replaceAll(/\$\{[^}]*\}/g, '…').split(': ');
    t.ok(section.includes(words), `${words} is on the page`);
  }
});

await test('each text that a call is given', async (t) => {
  const given = calls.filter((call) => longestText(call).length === 0);
  // An address that could not be bound; the end of a worker; a part that was not reloaded.
  t.strictSame(given.toSorted(), ['hint, message', 'line, message', 'text']);
  for (const words of [
    'could not bind IPv4 address "…": REASON',
    'was not reloaded',
    'contains errors; no changes were applied',
    'worker-lost',
    'log lines were dropped: REASON',
  ])
    t.ok(section.includes(words), words);
});

function longestText(call: string): readonly string[] {
  return [...call.matchAll(/`([^`]*)`|'([^']*)'|"([^"]*)"/g)]
    .map(([, template, single, double]) => template ?? single ?? double ?? '')
    .filter((text) => text.includes(' ') || text.includes('${'))
    .toSorted((a, b) => b.length - a.length)
    .slice(0, 1);
}
