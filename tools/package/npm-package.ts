// The npm package: what package.json's `files` names and the man page, with a manifest that asks nothing of the machine it is
// installed on.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { tar, type Entry } from './archive.ts';
import { placedFiles, publishedFiles } from './files.ts';

interface Manifest {
  readonly bin: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** What matters in a clone only. A `prepare` would look for a compiler that a consumer does not have. */
const OF_THE_CLONE = ['scripts', 'devDependencies', 'allowScripts'];

/** npm shows it to man(1) where the package is installed globally. */
const MAN_PAGE = 'man/pg-gatehouse.1';

/** The tarball's bytes; `dist/` must have been built. */
export function makeNpmPackage(root: string, manPage: string, seconds: number): Buffer {
  const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const programs = new Set(Object.values(manifest.bin));
  const consumers = {
    ...Object.fromEntries(Object.entries(manifest).filter(([name]) => !OF_THE_CLONE.includes(name))),
    // A list: npm passes over a text.
    man: [`./${MAN_PAGE}`],
  };
  const places = new Map(publishedFiles(root).map((path) => [path, path]));
  const entries: Entry[] = [
    { path: 'package.json', mode: 0o644, data: Buffer.from(`${JSON.stringify(consumers, null, 2)}\n`) },
    { path: MAN_PAGE, mode: 0o644, data: Buffer.from(manPage) },
    ...placedFiles(root, places).map(({ path, data }) => ({
      path,
      mode: programs.has(path) ? 0o755 : 0o644,
      data: Buffer.from(data),
    })),
  ];
  return gzipSync(tar(entries, seconds, 'package/'), { level: 9 });
}
