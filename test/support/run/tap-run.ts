// Runs tap over test files and reads what it says: a line per file for people, all of a failed file's output, and
// the counts that tap itself gives at its end.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Counts {
  readonly total: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface TapResult {
  /** Null when tap ended without saying. */
  readonly counts: Counts | null;
  readonly failedFiles: readonly string[];
  /** tap's own exit status; null when a signal ended it. */
  readonly code: number | null;
}

/** @param files none: what .taprc includes */
export async function runTap(
  files: readonly string[],
  env: NodeJS.ProcessEnv,
  print: (line: string) => void,
): Promise<TapResult> {
  const tap = spawn(process.execPath, [tapProgram(), 'run', '--reporter=tap', ...files], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let counts: Counts | null = null;
  const failedFiles: string[] = [];
  let block: string[] = [];
  const tell = (): void => {
    const failedFile = tellFile(block, print);
    if (failedFile !== null) failedFiles.push(failedFile);
    block = [];
  };
  createInterface({ input: tap.stdout }).on('line', (line) => {
    // A file's block: its subtest, the line that says how it went, and, where it failed, more about that.
    if (line.startsWith('# ')) tell();
    counts = readCounts(line) ?? counts;
    block.push(line);
  });
  await once(tap, 'close');
  tell();
  return { counts, failedFiles, code: tap.exitCode };
}

/** Prints what a file's block comes to, all but its passes if it failed; the file's name if it did. */
function tellFile(block: readonly string[], print: (line: string) => void): string | null {
  const result = block
    .map((line) => /^(not )?ok \d+ - (.+?)(?: # (.*))?$/.exec(line))
    .find((match) => match !== null);
  const [, failed, file, comment] = result ?? [];
  if (file === undefined) return null;
  print(
    `${failed === undefined ? 'ok    ' : 'FAILED'} ${file}${comment === undefined ? '' : `  (${comment})`}`,
  );
  if (failed === undefined) return null;
  for (const line of block.slice(1).filter((each) => !/^\s+ok \d+/.test(each))) print(line);
  return file;
}

/** `# { total: 5, pass: 1, fail: 1, skip: 3, todo: 1 }`: tap names what is not zero. */
function readCounts(line: string): Counts | null {
  const list = /^# \{ (total: .*) \}$/.exec(line)?.[1];
  if (list === undefined) return null;
  const count = (name: string): number =>
    Number(new RegExp(String.raw`\b${name}: (\d+)`).exec(list)?.[1] ?? 0);
  return {
    total: count('total'),
    passed: count('pass'),
    failed: count('fail'),
    skipped: count('skip') + count('todo'),
  };
}

function tapProgram(): string {
  const manifestFile = fileURLToPath(import.meta.resolve('tap/package.json'));
  const manifest: { bin: { tap: string } } = JSON.parse(readFileSync(manifestFile, 'utf8'));
  return join(dirname(manifestFile), manifest.bin.tap);
}
