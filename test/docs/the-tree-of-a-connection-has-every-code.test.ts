// ARCHITECTURE.md's tree of a connection has a branch for every code there is, and names no other.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { codes } from '../../src/base/codes.ts';

const page = readFileSync(new URL('../../ARCHITECTURE.md', import.meta.url), 'utf8');
const tree = page.slice(page.indexOf('```\naccept'), page.indexOf('## The six endings'));

await test('the tree', (t) => {
  // Some branches name several codes of one family by what follows its first words.
  const named = (code: string): boolean =>
    new RegExp(`(^|[^\\w-])${code}($|[^\\w-])`, 'm').test(tree) ||
    (code.startsWith('client-cert-') && tree.includes(`-${code.slice('client-cert-'.length)}`));
  t.strictSame(
    Object.keys(codes).filter((code) => !named(code)),
    [],
    'every code',
  );
  // What stands behind the dots of a branch is a list of codes.
  const ends = [...tree.matchAll(/ \.{2,} +([a-z][\w, -]*)$/gm)].flatMap(([, list = '']) =>
    list.split(/, */),
  );
  t.ok(ends.length > 40, 'there are branches');
  t.strictSame(
    ends.filter((word) => word !== '' && !word.startsWith('-') && !Object.hasOwn(codes, word)),
    [],
    'no other',
  );
  t.end();
});
