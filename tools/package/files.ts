// What leaves the checkout besides the program: the files that package.json names, and pages whose links hold where a package
// puts them.

import { globSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

/** npm adds these whatever `files` says. */
const ALWAYS = ['README.md', 'LICENSE', 'CHANGELOG.md'];

/** Every file that package.json's `files` names, by its path in the checkout. Of `dist` there must be a build. */
export function publishedFiles(root: string): readonly string[] {
  const { files: names }: { files: readonly string[] } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  const left = names.filter((name) => name.startsWith('!')).map((name) => name.slice(1));
  const paths = [...ALWAYS, ...names.filter((name) => !name.startsWith('!'))]
    .flatMap((name) => [name, ...globSync(`${name}/**`, { cwd: root })])
    .filter((path) => statSync(join(root, path), { throwIfNoEntry: false })?.isFile() ?? false)
    .filter((path) => !path.endsWith('.map') && !left.some((name) => path.startsWith(`${name}/`)));
  return [...new Set(paths)].toSorted();
}

/** A file of a package. */
export interface Placed {
  /** Its path there. */
  readonly path: string;
  readonly data: string | Uint8Array;
}

/**
 * Files with their places in a package. A link of a page leads to the place of its target. Where the package does not have
 * that, the words of the link stay alone: a reader would look for a file that is not there.
 *
 * @param places where the files lie, by their paths in the checkout
 */
export function placedFiles(root: string, places: ReadonlyMap<string, string>): readonly Placed[] {
  const targets = new Map([...foldersOf(places), ...places]);
  return [...places].map(([from, path]) => {
    const data = readFileSync(join(root, from));
    return {
      path,
      data: from.endsWith('.md') ? withOwnLinks(data.toString('utf8'), from, path, targets) : data,
    };
  });
}

/** Where each folder of the checkout has its files: `config/kubernetes` where `config/kubernetes/postgres.yaml` lies. */
function foldersOf(places: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const folders = new Map<string, string>();
  for (let [from, to] of places) {
    while (posix.basename(from) === posix.basename(to) && posix.dirname(from) !== '.') {
      [from, to] = [posix.dirname(from), posix.dirname(to)];
      folders.set(from, to);
    }
  }
  return folders;
}

function withOwnLinks(text: string, from: string, to: string, targets: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\[([^\]]+)\]\(([^)\s]+)\)/g, (link, words: string, target: string) => {
    const [file = '', anchor] = target.split('#');
    if (file === '' || /^[a-z]+:/.test(target)) return link;
    const place = targets.get(posix.join(posix.dirname(from), file));
    if (place === undefined) return words;
    const relative = posix.relative(posix.dirname(to), place) || '.';
    return `[${words}](${relative}${anchor === undefined ? '' : `#${anchor}`})`;
  });
}
