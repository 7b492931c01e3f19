// The npm package: what package.json's `files` names, with a manifest that asks nothing of the machine it is installed on.

import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { tar, type Entry } from './archive.ts';

interface Manifest {
  readonly files: readonly string[];
  readonly bin: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** What matters in a clone only. A `prepare` would look for a compiler that a consumer does not have. */
const OF_THE_CLONE = ['scripts', 'devDependencies', 'allowScripts'];

/** npm adds these whatever `files` says. */
const ALWAYS = ['README.md', 'LICENSE', 'CHANGELOG.md'];

/** The tarball's bytes; `dist/` must have been built. */
export function makeNpmPackage(root: string, seconds: number): Buffer {
  const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const programs = new Set(Object.values(manifest.bin));
  const left = manifest.files.filter((name) => name.startsWith('!')).map((name) => name.slice(1));
  const paths = manifest.files
    .filter((name) => !name.startsWith('!'))
    .flatMap((name) => globSync(`${name}/**`, { cwd: root }))
    .filter((path) => statSync(join(root, path)).isFile())
    .filter((path) => !path.endsWith('.map') && !left.some((name) => path.startsWith(`${name}/`)));
  const entries: Entry[] = [...new Set([...ALWAYS, ...paths])].toSorted().map((path) => ({
    path,
    mode: programs.has(path) ? 0o755 : 0o644,
    data: readFileSync(join(root, path)),
  }));
  const consumers = Object.fromEntries(
    Object.entries(manifest).filter(([name]) => !OF_THE_CLONE.includes(name)),
  );
  const first: Entry = {
    path: 'package.json',
    mode: 0o644,
    data: Buffer.from(`${JSON.stringify(consumers, null, 2)}\n`),
  };
  return gzipSync(tar([first, ...entries], seconds, 'package/'), { level: 9 });
}
