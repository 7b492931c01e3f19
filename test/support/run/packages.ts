// What `npm run package` has made: tests of the packages are left out, by name, where nobody has run it.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TAP } from 'tap';
import { leftOutForWantOf } from './tools.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const FOLDER = join(root, 'packages');

/** The packages of this version, as absolute paths. */
export interface Packages {
  readonly version: string;
  readonly folder: string;
  readonly executable: string;
  readonly deb: string;
  readonly npm: string;
  readonly sbom: string;
  readonly sums: string;
}

/** First thing in a file: without the packages the file is left out, and ends here. */
export function requirePackages(t: TAP): Packages {
  const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const names = existsSync(FOLDER) ? readdirSync(FOLDER) : [];
  const find = (suffix: RegExp): string => {
    const name = names.find((each) => each.includes(version) && suffix.test(each));
    if (name === undefined) leftOutForWantOf(t, 'the packages that npm run package makes');
    return join(FOLDER, name);
  };
  return {
    version,
    folder: FOLDER,
    executable: find(new RegExp(`-${process.platform}-${process.arch}$`)),
    deb: find(/\.deb$/),
    npm: find(/\.tgz$/),
    sbom: find(/\.cdx\.json$/),
    sums: join(FOLDER, 'SHA256SUMS'),
  };
}
