// `npm run mutation [-- FILE…]`: takes each protection of tools/mutations.ts away in a copy of the tree, runs the tests
// named for it, and wants one of them to fail. Exit status 0 only if every removal was noticed.

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mutations, type Mutation } from './mutations.ts';

/** What the tests read. */
const COPIED = ['src', 'test', 'fuzz', 'bin', 'config', 'docs', 'tools', 'package.json', 'tsconfig.json'];
/** A test that a mutation keeps from ending has noticed it too. */
const TIMEOUT_MS = 300_000;

const root = fileURLToPath(new URL('..', import.meta.url));

process.exitCode = main(process.argv.slice(2));

function main(files: readonly string[]): number {
  const chosen = files.length === 0 ? mutations : mutations.filter(({ file }) => files.includes(file));
  const copy = mkdtempSync(join(tmpdir(), 'mutation-'));
  // Some tests run programs as nobody.
  chmodSync(copy, 0o755);
  try {
    for (const each of COPIED) cpSync(join(root, each), join(copy, each), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    const broken = [...new Set(chosen.flatMap(({ tests }) => tests))].filter((test) => fails(copy, test));
    if (broken.length > 0) {
      process.stdout.write(
        `These fail with nothing taken away, and so prove nothing:\n${broken.join('\n')}\n`,
      );
      return 1;
    }
    const survivors = chosen.filter((mutation) => !isNoticed(copy, mutation));
    process.stdout.write(`\n${chosen.length - survivors.length} of ${chosen.length} mutations noticed\n`);
    return survivors.length === 0 ? 0 : 1;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Runs the tests of a mutation one after the other until one fails; says which. */
function isNoticed(copy: string, { file, removes, from, to, tests }: Mutation): boolean {
  const path = join(copy, 'src', file);
  const original = readFileSync(path, 'utf8');
  if (original.split(from).length !== 2) {
    process.stdout.write(`STALE    src/${file}: ${removes}: the line is not there, or not only once\n`);
    return false;
  }
  writeFileSync(
    path,
    original.replace(from, () => to),
  );
  try {
    const failing = tests.find((test) => fails(copy, test));
    process.stdout.write(
      `${failing === undefined ? 'SURVIVED' : 'noticed '} src/${file}: ${removes}: ${failing ?? tests.join(', ')}\n`,
    );
    return failing !== undefined;
  } finally {
    writeFileSync(path, original);
  }
}

function fails(copy: string, test: string): boolean {
  const { status } = spawnSync(process.execPath, [join('test', test)], {
    cwd: copy,
    env: { ...process.env, TAP_TIMEOUT: String(TIMEOUT_MS / 1000) },
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    stdio: 'ignore',
  });
  return status !== 0;
}
