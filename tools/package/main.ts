// `npm run package`: makes everything that a release consists of, into packages/. The same commit gives the same bytes.
//
//   npm run package [-- --out FOLDER] [--only executable]

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle, type Bundled } from './bundle.ts';
import { debArchitecture, makeDeb } from './deb.ts';
import { makeExecutable, run } from './executable.ts';
import { copyright, cyclonedx, readComponents } from './inventory.ts';
import { makeNpmPackage } from './npm-package.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { out: { type: 'string', default: join(root, 'packages') }, only: { type: 'string' } },
  });
  const out = resolve(values.out);
  const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const seconds = timeOfCommit();
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'pg-gatehouse-package-'));
  try {
    const task = { out, work, version, seconds };
    const { bundled, executable, notes } = await makeProgram(task);
    if (values.only !== 'executable') makePackages(task, bundled, executable, notes);
    for (const note of notes) process.stdout.write(`note: ${note}\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

interface Task {
  readonly out: string;
  readonly work: string;
  readonly version: string;
  readonly seconds: number;
}

async function makeProgram({ out, work, version }: Task) {
  const bundled = await bundle(root, work, version);
  const executable = `pg-gatehouse-${version}-${process.platform}-${process.arch}`;
  const { notes } = makeExecutable(root, work, join(out, executable));
  return { bundled, executable, notes };
}

function makePackages(
  { out, version, seconds }: Task,
  bundled: Bundled,
  executable: string,
  notes: string[],
): void {
  const components = readComponents(root, bundled.packages);
  const sbom = cyclonedx(version, components, seconds);
  const manPage = run(process.execPath, [join(root, 'tools/man-page.ts')]);
  const made: Record<string, Uint8Array | string> = {
    [`pg-gatehouse-${version}.cdx.json`]: sbom,
    [`pg-gatehouse-${version}.tgz`]: makeNpmPackage(root, manPage, seconds),
  };
  if (process.platform === 'linux') {
    const complete = (shell: string): string => run(join(out, executable), ['completion', shell]);
    made[`pg-gatehouse_${version}_${debArchitecture()}.deb`] = makeDeb({
      root,
      version,
      seconds,
      executable: readFileSync(join(out, executable)),
      manPage,
      completions: { bash: complete('bash'), zsh: complete('zsh'), fish: complete('fish') },
      copyright: copyright(components),
      sbom,
    });
  } else {
    notes.push('the .deb is made on Linux only');
  }
  for (const [name, data] of Object.entries(made)) writeFileSync(join(out, name), data);
  writeSums(out, [executable, ...Object.keys(made)].toSorted());
}

function writeSums(out: string, names: readonly string[]): void {
  const lines = names.map((name) => {
    const data = readFileSync(join(out, name));
    process.stdout.write(`${(data.length / 1024 / 1024).toFixed(1).padStart(7)} MiB  ${join(out, name)}\n`);
    return `${createHash('sha256').update(data).digest('hex')}  ${name}\n`;
  });
  writeFileSync(join(out, 'SHA256SUMS'), lines.join(''));
}

/** SOURCE_DATE_EPOCH, else the commit's own time; without git (a source archive) the start of 1980. */
function timeOfCommit(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined && given !== '') return Number(given);
  try {
    return Number(run('git', ['log', '-1', '--format=%ct'], { cwd: root }).trim());
  } catch {
    return Date.UTC(1980, 0, 1) / 1000;
  }
}
