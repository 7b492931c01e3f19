// The Debian package: the executable, its units, man page, completions and /etc/pg-gatehouse. Written without dpkg-deb, so
// that any machine makes the same bytes.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { ar, tar, type Entry } from './archive.ts';
import { placedFiles, publishedFiles } from './files.ts';

/** What goes into the package besides what the checkout holds. */
export interface DebParts {
  readonly root: string;
  readonly version: string;
  readonly executable: Uint8Array;
  readonly manPage: string;
  readonly completions: Readonly<Record<'bash' | 'zsh' | 'fish', string>>;
  /** Licences of what is in the executable. */
  readonly copyright: string;
  readonly sbom: string;
  /** The time of every file, in seconds since 1970. */
  readonly seconds: number;
}

/** Debian's names of Node's processors. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Files in /etc that an upgrade leaves as the administrator has changed them. */
const CONFIGURATION = ['gatehouse.yaml', 'pg_hba.conf', 'pg_ident.conf'];

const SCRIPTS = ['postinst', 'prerm', 'postrm'];

/** More would take a minute and save a tenth. dpkg reads zstd from Debian 12 and Ubuntu 22.04 on. */
const LEVEL = 9;

/** This machine's architecture as Debian names it. */
export function debArchitecture(): string {
  return ARCHITECTURES[process.arch] ?? process.arch;
}

/** The .deb's bytes. */
export function makeDeb(parts: DebParts): Buffer {
  const files = contents(parts);
  const control = controlFiles(parts, files);
  return ar(
    [
      { name: 'debian-binary', data: Buffer.from('2.0\n') },
      { name: 'control.tar.zst', data: compress(tar(withFolders(control), parts.seconds, './')) },
      { name: 'data.tar.zst', data: compress(tar(withFolders(files), parts.seconds, './')) },
    ],
    parts.seconds,
  );
}

function contents(parts: DebParts): Entry[] {
  const { root, executable, manPage, completions, copyright, sbom } = parts;
  const read = (path: string): Buffer => readFileSync(join(root, path));
  const doc = 'usr/share/doc/pg-gatehouse';
  return [
    { path: 'usr/bin/pg-gatehouse', mode: 0o755, data: executable },
    file('usr/lib/systemd/system/pg-gatehouse.service', unit(read('config/systemd/pg-gatehouse.service'))),
    file('usr/lib/systemd/system/pg-gatehouse.socket', unit(read('config/systemd/pg-gatehouse.socket'))),
    file('usr/share/man/man1/pg-gatehouse.1.gz', gzipped(manPage)),
    file('usr/share/bash-completion/completions/pg-gatehouse', completions.bash),
    file('usr/share/zsh/vendor-completions/_pg-gatehouse', completions.zsh),
    file('usr/share/fish/vendor_completions.d/pg-gatehouse.fish', completions.fish),
    file('etc/pg-gatehouse/gatehouse.yaml', read('packaging/debian/gatehouse.yaml')),
    file('etc/pg-gatehouse/pg_hba.conf', read('config/pg_hba.conf')),
    file('etc/pg-gatehouse/pg_ident.conf', read('config/pg_ident.conf')),
    file(`${doc}/copyright`, copyright),
    file(`${doc}/changelog.gz`, gzipped(read('CHANGELOG.md'))),
    file(`${doc}/sbom.cdx.json.gz`, gzipped(sbom)),
    ...placedFiles(root, documentation(root)).map(({ path, data }) => file(`${doc}/${path}`, data)),
  ];
}

/** The pages, and beside them as examples all of config/, for which they send their reader there. */
function documentation(root: string): ReadonlyMap<string, string> {
  return new Map(
    publishedFiles(root).flatMap((path) => {
      if (path.startsWith('docs/')) return [[path, path.slice('docs/'.length)]];
      if (path.startsWith('config/')) return [[path, `examples/${path.slice('config/'.length)}`]];
      // README.md is that of docs/ here, and the changelog has Debian's own name.
      return path.endsWith('.md') && !['README.md', 'CHANGELOG.md'].includes(path) ? [[path, path]] : [];
    }),
  );
}

function controlFiles({ root, version }: DebParts, files: readonly Entry[]): Entry[] {
  const read = (name: string): string => readFileSync(join(root, 'packaging/debian', name), 'utf8');
  const size = files.reduce((sum, { data }) => sum + Math.ceil((data?.length ?? 0) / 1024), 0);
  const control = read('control')
    .replace('@VERSION@', version)
    .replace('@ARCHITECTURE@', debArchitecture())
    .replace('@INSTALLED_SIZE@', String(size));
  const sums = files
    .map(
      ({ path, data }) =>
        `${createHash('md5')
          .update(data ?? '')
          .digest('hex')}  ${path}\n`,
    )
    .join('');
  return [
    file('control', control),
    file('conffiles', CONFIGURATION.map((name) => `/etc/pg-gatehouse/${name}\n`).join('')),
    file('md5sums', sums),
    ...SCRIPTS.map((name) => ({ path: name, mode: 0o755, data: Buffer.from(read(name)) })),
  ];
}

/** The unit of config/systemd for the executable: Node's flags are built in, and the pages lie elsewhere. */
function unit(text: Uint8Array): string {
  return Buffer.from(text)
    .toString('utf8')
    .replace(/^(?:#.*\n)+\n/, '# Installed by the package pg-gatehouse; `systemctl edit` changes it.\n\n')
    .replace(
      /^Documentation=.*$/m,
      'Documentation=man:pg-gatehouse(1) file:/usr/share/doc/pg-gatehouse/operations.md',
    )
    .replace(/^Environment="NODE_OPTIONS=.*\n/m, '')
    .replaceAll('/usr/bin/env pg-gatehouse', '/usr/bin/pg-gatehouse');
}

/** Every folder before what is in it, as dpkg wants it. */
function withFolders(files: readonly Entry[]): Entry[] {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const folders = new Set<string>(['']);
  for (const { path } of sorted) {
    for (let cut = path.indexOf('/'); cut >= 0; cut = path.indexOf('/', cut + 1))
      folders.add(path.slice(0, cut + 1));
  }
  return [...[...folders].map((path) => ({ path, mode: 0o755 })), ...sorted].toSorted((a, b) =>
    a.path < b.path ? -1 : 1,
  );
}

function file(path: string, data: string | Uint8Array): Entry {
  return { path, mode: 0o644, data: Buffer.from(data) };
}

function gzipped(data: string | Uint8Array): Buffer {
  return gzipSync(data, { level: 9 });
}

function compress(data: Uint8Array): Buffer {
  return zstdCompressSync(data, {
    params: {
      [constants.ZSTD_c_compressionLevel]: LEVEL,
      [constants.ZSTD_c_enableLongDistanceMatching]: 1,
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
}
