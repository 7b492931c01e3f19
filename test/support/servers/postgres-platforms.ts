// Which PostgreSQL servers npm has for which platform: what tools/postgres-servers/package.json names.

import { readFileSync } from 'node:fs';

/** Node's names of a system and a processor: `linux-x64`, `darwin-arm64`. */
export type Platform = `${string}-${string}`;

/** This machine's. */
export const THIS_PLATFORM: Platform = `${process.platform}-${process.arch}`;

const manifest: { optionalDependencies: Record<string, string> } = JSON.parse(
  readFileSync(new URL('../../../tools/postgres-servers/package.json', import.meta.url), 'utf8'),
);

/** The npm name of a version's server: the plain one on linux-x64, else with the platform after it. */
export function serverPackage(version: number, platform: Platform = THIS_PLATFORM): string {
  return platform === 'linux-x64' ? `postgres-${version}` : `postgres-${version}-${platform}`;
}

/** The major versions that `npm ci` installs on a platform, oldest first. */
export function serversFor(platform: Platform): readonly number[] {
  return [10, 15, 18].filter((version) => serverPackage(version, platform) in manifest.optionalDependencies);
}
