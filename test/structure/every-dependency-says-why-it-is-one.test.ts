// docs/dependencies.md and package.json name the same packages, each list in its order.

import { readFileSync } from 'node:fs';
import { test } from 'tap';

type Manifest = Record<'dependencies' | 'optionalDependencies' | 'devDependencies', Record<string, string>>;

const manifest: Manifest = JSON.parse(read('package.json'));
const sections = read('docs/dependencies.md').split(/^## /m);

const parts = [
  ['In production', 'dependencies'],
  ['Optional, for the demo', 'optionalDependencies'],
  ['In development', 'devDependencies'],
] as const;

for (const [heading, key] of parts) {
  await test(heading, async (t) => {
    const section = sections.find((each) => each.startsWith(heading)) ?? '';
    const rows = [...section.matchAll(/^\| `(.+?)` \| (.*?) \| (.*?) \|$/gm)];
    t.strictSame(
      rows.map(([, name]) => name),
      Object.keys(manifest[key]),
    );
    for (const [, name = '', purpose, reason] of rows) t.ok(purpose !== '' && reason !== '', name);
  });
}

await test('versions are exact', async (t) => {
  for (const [, key] of parts) {
    for (const [name, version] of Object.entries(manifest[key]))
      t.match(version, /^(npm:.+@)?\d+\.\d+\.\d+|^file:tools\//, name);
  }
  const servers: Manifest = JSON.parse(read('tools/postgres-servers/package.json'));
  for (const [name, version] of Object.entries(servers.optionalDependencies))
    t.match(version, /^npm:.+@\d+\.\d+\.\d+/, name);
});

function read(file: string): string {
  return readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
}
