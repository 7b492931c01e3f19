// What is in the executable: a bill of materials (CycloneDX) and the licences, both from the packages that the bundler took.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** An npm package in the executable. */
export interface Component {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** The lock file's hash of its tarball, as npm writes it. */
  readonly integrity: string | null;
  /** The texts of its licence files. */
  readonly texts: readonly string[];
}

/** Reads the packages at these paths (`node_modules/yaml`) of the checkout. */
export function readComponents(root: string, paths: readonly string[]): Component[] {
  const lock: { packages: Record<string, { integrity?: string }> } = JSON.parse(
    readFileSync(join(root, 'package-lock.json'), 'utf8'),
  );
  return paths.map((path) => {
    const manifest: { name: string; version: string; license?: string } = JSON.parse(
      readFileSync(join(root, path, 'package.json'), 'utf8'),
    );
    const texts = readdirSync(join(root, path))
      .filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file))
      .map((file) => readFileSync(join(root, path, file), 'utf8').trim());
    return {
      name: manifest.name,
      version: manifest.version,
      license: manifest.license ?? 'unknown',
      integrity: lock.packages[path]?.integrity ?? null,
      texts,
    };
  });
}

/** The bill of materials as CycloneDX 1.6 in JSON; the same for the same commit. */
export function cyclonedx(version: string, components: readonly Component[], seconds: number): string {
  const itself = {
    type: 'application',
    'bom-ref': `pkg:npm/pg-gatehouse@${version}`,
    name: 'pg-gatehouse',
    version,
    licenses: [{ license: { id: 'Apache-2.0' } }],
    purl: `pkg:npm/pg-gatehouse@${version}`,
  };
  const parts = [...components.map(npmPart), ...runtimeParts()];
  const body = {
    version: 1,
    metadata: { timestamp: new Date(seconds * 1000).toISOString(), component: itself },
    components: parts,
    dependencies: [
      { ref: itself['bom-ref'], dependsOn: parts.map((part) => part['bom-ref']) },
      ...parts.map((part) => ({ ref: part['bom-ref'], dependsOn: [] })),
    ],
  };
  const head = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: serialNumber(JSON.stringify(body)),
  };
  return `${JSON.stringify({ ...head, ...body }, null, 2)}\n`;
}

function npmPart({ name, version, license, integrity }: Component) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const isExpression = / (?:OR|AND|WITH) /.test(license);
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    licenses: [isExpression ? { expression: license } : { license: { id: license } }],
    purl,
    ...(integrity === null
      ? {}
      : {
          hashes: [
            {
              alg: 'SHA-512',
              content: Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex'),
            },
          ],
        }),
  };
}

/** Node, and the libraries that it was built with. */
function runtimeParts() {
  return Object.entries(process.versions)
    .filter(([name]) => name !== 'modules' && name !== 'napi')
    .map(([name, version = '']) => {
      const purl = `pkg:generic/${name}@${encodeURIComponent(version)}`;
      return { type: name === 'node' ? 'platform' : 'library', 'bom-ref': purl, name, version, purl };
    });
}

/** A UUID made of the content, so that two builds of one commit have the same. */
function serialNumber(content: string): string {
  const hex = createHash('sha256').update(content).digest('hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16);
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Debian's copyright file: the gate's licence by name, then every licence of what is in the executable. */
export function copyright(components: readonly Component[]): string {
  return [
    'pg-gatehouse is licensed under the Apache License 2.0: /usr/share/common-licenses/Apache-2.0',
    `It contains Node.js ${process.versions.node} (MIT; https://github.com/nodejs/node/blob/v${process.versions.node}/LICENSE names what Node.js contains) and these packages:`,
    ...components.map(
      ({ name, version, license, texts }) =>
        `${'-'.repeat(78)}\n${name} ${version} (${license})\n\n${texts.join('\n\n')}`,
    ),
    '',
  ].join('\n\n');
}
