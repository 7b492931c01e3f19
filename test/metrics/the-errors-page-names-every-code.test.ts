// docs/errors.md against the registry of codes: the same words in the same order, with their meaning, SQLSTATE and
// level; and every page that is linked to by a code's heading finds it.

import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { codes } from '../../src/base/codes.ts';

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');

const documented = page
  .split(/^### /m)
  .slice(1)
  .map((section) => {
    const [heading = '', , means] = section.split('\n');
    const item = (name: string): string | undefined =>
      new RegExp(`^- ${name}: (.+)$`, 'm').exec(section)?.[1];
    return {
      code: heading.replaceAll('`', ''),
      means,
      sqlstate: item('SQLSTATE')?.replaceAll('`', ''),
      level: item('Log level'),
      sees: item('The client sees'),
      lookAt: item('Look at'),
    };
  });

await test('codes, meanings, SQLSTATEs and levels are the registry', async (t) => {
  t.strictSame(
    documented.map(({ code, means, sqlstate, level }) => ({ code, means, sqlstate, level })),
    Object.entries(codes).map(([code, { means, sqlstate, level }]) => ({
      code,
      means,
      sqlstate: sqlstate ?? 'none',
      level,
    })),
  );
});

await test('each code says what the client sees and where to look', async (t) => {
  for (const { code, sees, lookAt } of documented) {
    t.match(sees, /\w/, `${code}: what the client sees`);
    t.match(lookAt, /\w/, `${code}: where to look`);
  }
});

await test('each point is one line: the status page shows no more of it', async (t) => {
  const codesOnly = page.slice(0, page.indexOf('\n## Lines without a code\n'));
  t.strictSame(codesOnly.match(/^[ \t]+\S.*$/gm), null);
  for (const { code, sees, lookAt } of documented)
    t.match(`${sees}\n${lookAt}`, /\.\n.*\.$/, `${code}: whole sentences`);
});

await test('a text that a code always has is on the page, and stands once in src', async (t) => {
  const src = new URL('../../src/', import.meta.url);
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const code = files.map((name) => readFileSync(new URL(name, src), 'utf8')).join('\n');
  const fixed = Object.entries(codes).filter(([, { reply }]) => reply !== null);
  t.ok(fixed.length > 20);
  for (const [name, { reply }] of fixed) {
    t.match(documented.find((section) => section.code === name)?.sees, String(reply), name);
    t.equal(code.split(`'${reply}'`).length + code.split(`"${reply}"`).length - 2, 1, `${name}: ${reply}`);
  }
});

await test('a code with no SQLSTATE sends no message', async (t) => {
  for (const { code, sees, sqlstate } of documented) {
    if (sqlstate !== 'none' || code === 'upstream-refused') continue;
    t.match(sees, /^(nothing|a TLS alert|the TLS alert|its own error)/, code);
  }
});
