// docs/errors.md against the registry of codes: the same words in the same order, with their meaning, SQLSTATE and
// level; and every page that is linked to by a code's heading finds it.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { codes } from '../../src/base/errors.ts';

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

await test('a code with no SQLSTATE sends no message', async (t) => {
  for (const { code, sees, sqlstate } of documented) {
    if (sqlstate !== 'none' || code === 'upstream-refused') continue;
    t.match(sees, /^(nothing|a TLS alert|the TLS alert|its own error)/, code);
  }
});
