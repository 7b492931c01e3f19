// docs/ as a package has it: every page and picture, and no link to a file that stays in the checkout.

import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** A file of docs/, by its path there. */
export interface Page {
  readonly path: string;
  readonly data: string;
}

/**
 * All files of docs/. A link to a file outside leads to that file's place in the package. Where the package does not
 * have it, the link's words stay alone.
 *
 * @param places files of the checkout by their path there, and where they lie beside the pages
 */
export function packagedPages(root: string, places: Readonly<Record<string, string>>): readonly Page[] {
  return readdirSync(join(root, 'docs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.join(entry.parentPath, entry.name).slice(join(root, 'docs/').length))
    .map((path) => {
      const text = readFileSync(join(root, 'docs', path), 'utf8');
      return { path, data: path.endsWith('.md') ? withOwnLinks(path, text, places) : text };
    });
}

function withOwnLinks(path: string, text: string, places: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\[([^\]]+)\]\(([^)\s]+)\)/g, (link, words: string, target: string) => {
    const file = posix.join('docs', posix.dirname(path), target.replace(/#.*/, ''));
    if (/^[a-z]+:/.test(target) || file === 'docs' || file.startsWith('docs/')) return link;
    const place = places[file];
    return place === undefined ? words : `[${words}](${posix.relative(posix.dirname(path), place)})`;
  });
}
