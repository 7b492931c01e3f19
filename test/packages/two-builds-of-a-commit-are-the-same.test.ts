// Reproducible: a second build has the bytes of the first. The sums and the bill of materials tell the truth.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { t as tap, test } from 'tap';
import { requirePackages } from '../support/run/packages.ts';
import { runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

const packages = requirePackages(tap);
const root = fileURLToPath(new URL('../../', import.meta.url));

await test('the sums are those of the files', async (t) => {
  const lines = readFileSync(packages.sums, 'utf8').trim().split('\n');
  t.equal(lines.length, 4);
  for (const line of lines) {
    const [sum, name = ''] = line.split('  ');
    const data = readFileSync(join(packages.folder, name));
    t.equal(createHash('sha256').update(data).digest('hex'), sum, name);
  }
});

await test('built once more', async (t) => {
  const out = join(temporaryDirectory(t), 'packages');
  const { code, stderr } = await runToEnd(
    process.execPath,
    [join(root, 'tools/package/main.ts'), '--out', out],
    { cwd: root, timeoutMs: 110_000 },
  );
  t.equal(code, 0, stderr);
  t.equal(readFileSync(join(out, 'SHA256SUMS'), 'utf8'), readFileSync(packages.sums, 'utf8'));
});

await test('the bill of materials names what runs', async (t) => {
  const manifest: { dependencies: Record<string, string> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  const bill: {
    bomFormat: string;
    specVersion: string;
    serialNumber: string;
    metadata: { component: { name: string; version: string } };
    components: { name: string; version: string; purl: string; hashes?: { alg: string; content: string }[] }[];
  } = JSON.parse(readFileSync(packages.sbom, 'utf8'));
  t.match(bill, {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    metadata: { component: { name: 'pg-gatehouse', version: packages.version } },
  });
  const found = new Map(bill.components.map((component) => [component.name, component]));
  for (const name of Object.keys(manifest.dependencies)) {
    t.match(found.get(name), { version: manifest.dependencies[name], hashes: [{ alg: 'SHA-512' }] }, name);
  }
  t.equal(found.get('node')?.version, process.versions.node);
  t.equal(found.get('openssl')?.version, process.versions['openssl']);
  for (const { name, hashes } of bill.components.filter(({ purl }) => purl.startsWith('pkg:npm/')))
    t.match(hashes?.[0]?.content, /^[0-9a-f]{128}$/, name);
});
