// `npm test`: runs the test files (all, or those named), then says what was left out for want of a tool, whether
// anything was left behind, and as its very last line the counts. Exit status 0 only when all of it is well.

import { chmodSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { THIS_PLATFORM } from '../servers/postgres-platforms.ts';
import { leftovers } from './leftovers.ts';
import { filesForPlatform, WHOLE_PLATFORM, type LeftOutFile } from './platform-files.ts';
import { runTap, type Counts } from './tap-run.ts';
import { howToTestEverything, readLeftOut, type LeftOut } from './tools.ts';

const NODE_FLOOR = [24, 17] as const;
/** Where every system has env, cp and cat, which tests run. A PATH of Node and npm alone does not name them. */
const BASE_FOLDERS = ['/usr/bin', '/bin'];
/** Longer than a supervisor gives the process that it ends. */
const GRACE_MS = 30_000;

process.exitCode = await main(process.argv.slice(2));

async function main(wanted: readonly string[]): Promise<number> {
  const obstacle = whyNot();
  if (obstacle !== null) {
    print(obstacle);
    return 1;
  }
  const { run: files, leftOut } = filesOfThisPlatform(wanted);
  // Short, since Unix sockets go below it and their paths may have 107 bytes; open, since servers run as nobody.
  const run = mkdtempSync(join(tmpdir(), 'gatehouse-test-'));
  chmodSync(run, 0o755);
  try {
    const PATH = [process.env['PATH'] ?? '', ...BASE_FOLDERS].join(delimiter);
    const env = { ...process.env, PATH, TMPDIR: run, GATEHOUSE_TEST_RUN: run };
    const { counts, failedFiles, code } = await runTap(files, env, print);
    const clean = await reportLeftovers(run);
    reportLeftOut(readLeftOut(join(run, 'left-out')));
    reportPlatform(leftOut);
    if (failedFiles.length > 0) print(`\nFailed: ${failedFiles.join(', ')}`);
    return verdict(counts, code, clean);
  } finally {
    rmSync(run, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** All of them, and none named: tap finds them itself. Elsewhere those that this platform can run. */
function filesOfThisPlatform(wanted: readonly string[]): {
  readonly run: readonly string[];
  readonly leftOut: readonly LeftOutFile[];
} {
  if (THIS_PLATFORM === WHOLE_PLATFORM) return { run: wanted, leftOut: [] };
  const all =
    wanted.length > 0
      ? wanted
      : globSync('test/**/*.test.ts', { exclude: ['test/support/**', 'test/fixtures/**'] });
  return filesForPlatform(
    all.map((file) => resolve(file)),
    THIS_PLATFORM,
  );
}

function reportPlatform(leftOut: readonly LeftOutFile[]): void {
  for (const { file, wants } of leftOut)
    print(`  ${relative(process.cwd(), file)}: left out for want of ${wants}`);
  if (leftOut.length > 0)
    print(`${leftOut.length} test files were left out: they cannot run on ${THIS_PLATFORM}.`);
}

/** Prints the last line, and gives the exit status. */
function verdict(counts: Counts | null, tapCode: number | null, clean: boolean): number {
  const { total, passed, failed, skipped } = counts ?? { total: 0, passed: 0, failed: 0, skipped: 0 };
  if (total === 0) print('\nNo test ran.');
  // What tap calls a failure without counting it (a file that crashed, a timeout) is still one.
  const others = (failed === 0 && tapCode !== 0 ? 1 : 0) + (clean ? 0 : 1);
  print(`\n${passed} passed, ${failed + others} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return passed > 0 && failed + others === 0 ? 0 : 1;
}

function whyNot(): string | null {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < NODE_FLOOR[0] || (major === NODE_FLOOR[0] && minor < NODE_FLOOR[1])) {
    return `The tests need Node ${NODE_FLOOR.join('.')} or newer; this is ${process.versions.node}. Run them by "npm test" after "npm ci", which brings the right one.`;
  }
  if (!existsSync(fileURLToPath(new URL('../../../dist/cli.js', import.meta.url)))) {
    return 'dist/ is missing: run "npm run build" first.';
  }
  return null;
}

async function reportLeftovers(run: string): Promise<boolean> {
  const left = await leftovers(run, GRACE_MS);
  if (left.length === 0) {
    print('\nNo process was left behind.');
    return true;
  }
  print('\nLEFT BEHIND, now killed:');
  for (const { pid, command } of left) {
    print(`  ${pid} ${command}`);
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended in the meantime.
    }
  }
  return false;
}

function reportLeftOut(leftOut: readonly LeftOut[]): void {
  if (leftOut.length === 0) return;
  const bar = '*'.repeat(78);
  print(`\n${bar}\nNOT EVERYTHING WAS TESTED: something is missing on this machine.\n`);
  for (const tests of Map.groupBy(leftOut, ({ test }) => test).values()) {
    const wanted = new Set(
      tests.flatMap((each) => [...each.tools, ...(each.wants === undefined ? [] : [each.wants])]),
    );
    print(`  ${tests[0]!.test}: ${tests.length} left out for want of ${[...wanted].join(', ')}`);
  }
  print('\nTo test everything:');
  for (const line of howToTestEverything(leftOut)) print(`  ${line}`);
  print(bar);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
