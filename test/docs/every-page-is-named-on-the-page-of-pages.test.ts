// docs/README.md names every page, every link and every file's name in a page leads somewhere, and every picture is
// shown by a page.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const below = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file));

const pages = [
  ...readdirSync(root).filter((file) => file.endsWith('.md')),
  ...below('docs').filter((file) => file.endsWith('.md')),
  'test/README.md',
];
const pictures = below('docs/pictures').filter((file) => file.endsWith('.svg'));

/** What a page links to, as a path from the root, with the heading after `#`. */
function linksOf(path: string): { readonly target: string; readonly anchor: string | undefined }[] {
  const text = read(path)
    .replaceAll(/^ {0,3}```[^]*?^ {0,3}```/gm, '')
    .replaceAll(/`[^`\n]*`/g, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = '', anchor] = target.split('#');
      return { target: file === '' ? path : join(dirname(path), file), anchor };
    });
}

await test('docs/README.md names every page', async (t) => {
  const named = new Set(linksOf('docs/README.md').map(({ target }) => target));
  const isNamed = (page: string): boolean => named.has(page) || named.has(dirname(page));
  const own = pages.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md');
  t.ok(own.length > 20, 'there are pages to look at');
  t.strictSame(
    own.filter((page) => !isNamed(page)),
    [],
  );
  t.notOk(named.has('docs'), 'each by itself');
});

await test('every link leads to a file, and to a heading where it names one', async (t) => {
  for (const page of pages) {
    for (const { target, anchor } of linksOf(page)) {
      const told = `${page}: ${relative(dirname(page), target)}#${anchor ?? ''}`;
      if (!t.ok(existsSync(join(root, target)), told)) continue;
      if (anchor !== undefined && statSync(join(root, target)).isFile())
        t.ok(anchors(target).includes(anchor), told);
    }
  }
});

await test('every file named in the text is there', async (t) => {
  for (const page of pages) {
    const names = [...read(page).matchAll(/`((?:src|test|tools|bench|soak|config)\/[\w./-]+\.\w+)`/g)];
    for (const [, name = ''] of names) t.ok(existsSync(join(root, name)), `${page}: ${name}`);
  }
});

await test('every picture is shown, says in words what it shows, and is drawn for light and dark', async (t) => {
  const linked = new Set(pages.flatMap((page) => linksOf(page).map(({ target }) => target)));
  t.ok(pictures.length >= 3);
  for (const picture of pictures) {
    const text = read(picture);
    t.ok(linked.has(picture), `${picture} is shown`);
    t.match(text, /<title[^]*<desc/, picture);
    t.match(text, '@media (prefers-color-scheme: dark)', picture);
    t.notMatch(text, /@import|url\(['"]?http|<script|<image/, `${picture} stands alone`);
  }
});

/** The anchors of a page's headings, as the usual renderers make them. */
function anchors(path: string): string[] {
  return [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
