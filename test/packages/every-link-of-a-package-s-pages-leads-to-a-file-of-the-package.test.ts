// The pages that the packages install: each link leads to a file or folder of the same package, and each file of config/ that
// the pages name is there. The packages are made here, the .deb with another file in place of the executable, and read back.

import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { test, type Test } from 'tap';
import { makeDeb } from '../../tools/package/deb.ts';
import { makeNpmPackage } from '../../tools/package/npm-package.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

await test('the Debian package', async (t) => {
  const deb = makeDeb({
    root,
    version: '0.0.0',
    executable: Buffer.from('a program'),
    manPage: '',
    completions: { bash: '', zsh: '', fish: '' },
    copyright: '',
    sbom: '',
    seconds: 0,
  });
  const files = filesOf(zstdDecompressSync(memberOf(deb, 'data.tar.zst')));
  const pages = './usr/share/doc/pg-gatehouse/';
  t.ok(files.has(`${pages}README.md`));
  t.match(files.get(`${pages}metrics.md`), '[config/prometheus/alerts.yml](examples/prometheus/alerts.yml)');
  t.match(files.get(`${pages}operations.md`), '[config/kubernetes](examples/kubernetes) holds');
  t.match(files.get(`${pages}operations.md`), '(reliability.md#the-log)');
  t.match(files.get(`${pages}security.md`), '[SECURITY.md](SECURITY.md)');
  t.match(files.get(`${pages}pictures/trust-boundary.svg`), '<svg');
  linksLeadSomewhere(t, files, pages);
  schemaIsBeside(t, files, `${pages}examples/gatehouse.yaml`);
});

await test('the npm package', async (t) => {
  const files = filesOf(gunzipSync(makeNpmPackage(root, '.TH PG-GATEHOUSE 1', 0)));
  const pages = 'package/';
  t.match(files.get(`${pages}README.md`), '[RELEASING.md](RELEASING.md) says how');
  t.match(files.get(`${pages}docs/README.md`), '| [ARCHITECTURE.md](../ARCHITECTURE.md) |');
  t.match(files.get(`${pages}docs/README.md`), '| test/README.md |');
  t.match(files.get(`${pages}docs/metrics.md`), '(../config/prometheus/alerts.yml)');
  linksLeadSomewhere(t, files, pages);
  schemaIsBeside(t, files, `${pages}config/gatehouse.yaml`);
  const { man: [man = ''] = [] }: { man?: readonly string[] } = JSON.parse(files.get(`${pages}package.json`) ?? '');
  t.match(files.get(posix.join(pages, man)), '.TH PG-GATEHOUSE 1', 'npm finds the man page');
});

function linksLeadSomewhere(t: Test, files: ReadonlyMap<string, string>, folder: string): void {
  const folders = new Set([...files.keys()].flatMap((path) => [path, posix.dirname(path)]));
  const pages = [...files].filter(([path]) => path.startsWith(folder) && path.endsWith('.md'));
  t.ok(
    pages.some(([path]) => path.includes('/decisions/')),
    'decisions are pages too',
  );
  for (const [path, text] of pages) {
    const prose = text.replaceAll(/^ {0,3}```[^]*?^ {0,3}```/gm, '').replaceAll(/`[^`\n]*`/g, '');
    for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      const [file = ''] = target.split('#');
      if (file === '' || /^[a-z]+:/.test(target)) continue;
      const linked = posix.join(posix.dirname(path), file);
      t.ok(folders.has(linked) || folders.has(`./${linked}`), `${path}: ${target}`);
    }
  }
}

/** An editor looks for the schema beside the sample that names it. */
function schemaIsBeside(t: Test, files: ReadonlyMap<string, string>, sample: string): void {
  const [, schema = ''] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(files.get(sample) ?? '') ?? [];
  t.match(files.get(`${posix.dirname(sample)}/${schema}`), '"$schema"', sample);
}

/** Every file of a tar archive with its text. */
function filesOf(archive: Buffer): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (let at = 0; archive[at] !== 0;) {
    const folder = textAt(archive, at + 345, 155);
    const name = textAt(archive, at, 100);
    const size = Number.parseInt(textAt(archive, at + 124, 12), 8);
    const path = folder === '' ? name : `${folder}/${name}`;
    if (!path.endsWith('/')) files.set(path, archive.toString('utf8', at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

function memberOf(archive: Buffer, name: string): Buffer {
  for (let at = '!<arch>\n'.length; at < archive.length;) {
    const size = Number(archive.toString('latin1', at + 48, at + 58));
    if (archive.toString('latin1', at, at + 16).trim() === name)
      return archive.subarray(at + 60, at + 60 + size);
    at += 60 + size + (size % 2);
  }
  throw new Error(`no ${name} in it`);
}

function textAt(bytes: Buffer, at: number, length: number): string {
  return bytes.toString('utf8', at, at + length).replace(/\0.*/s, '');
}
