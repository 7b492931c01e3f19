// The pages that the Debian package installs: each link leads to a file or folder of the package. The .deb is made here,
// with another file in place of the executable, and read back.

import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zstdDecompressSync } from 'node:zlib';
import { test } from 'tap';
import { makeDeb } from '../../tools/package/deb.ts';

const PAGES = './usr/share/doc/pg-gatehouse/';

await test('links of the pages', async (t) => {
  const files = filesOf(
    makeDeb({
      root: fileURLToPath(new URL('../../', import.meta.url)),
      version: '0.0.0',
      executable: Buffer.from('a program'),
      manPage: '',
      completions: { bash: '', zsh: '', fish: '' },
      copyright: '',
      sbom: '',
      seconds: 0,
    }),
  );
  const pages = [...files].filter(([path]) => path.startsWith(PAGES) && path.endsWith('.md'));
  t.ok(files.has(`${PAGES}README.md`));
  t.ok(
    pages.some(([path]) => path.startsWith(`${PAGES}decisions/`)),
    'decisions are pages too',
  );
  t.match(files.get(`${PAGES}metrics.md`), '[config/prometheus/alerts.yml](examples/alerts.yml)');
  t.match(files.get(`${PAGES}pictures/trust-boundary.svg`), '<svg');
  for (const [path, text] of pages) {
    const prose = text.replaceAll(/^ {0,3}```[^]*?^ {0,3}```/gm, '').replaceAll(/`[^`\n]*`/g, '');
    for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      const [file = ''] = target.split('#');
      if (file === '' || /^[a-z]+:/.test(target)) continue;
      const linked = posix.normalize(`${posix.dirname(path)}/${file}`);
      t.ok(files.has(`./${linked}`) || files.has(`./${linked}/`), `${path}: ${target}`);
    }
  }
});

/** Every file of a .deb with its text, and every folder, whose path ends in `/`. */
function filesOf(deb: Buffer): ReadonlyMap<string, string> {
  const archive = zstdDecompressSync(memberOf(deb, 'data.tar.zst'));
  const files = new Map<string, string>();
  for (let at = 0; archive[at] !== 0;) {
    const folder = textAt(archive, at + 345, 155);
    const name = textAt(archive, at, 100);
    const size = Number.parseInt(textAt(archive, at + 124, 12), 8);
    const path = folder === '' ? name : `${folder}/${name}`;
    files.set(path, archive.toString('utf8', at + 512, at + 512 + size));
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
