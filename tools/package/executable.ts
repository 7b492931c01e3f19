// One executable file that needs no Node: the Node that runs this, without its symbols, and the bundled program in it
// (Node's single executable application).

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * SHA-256 of Node's binary as npm delivers it, for each platform that was looked at. The lock file does not pin it: the
 * package `node` fetches it while it is installed.
 */
const NODE_SHA256: Readonly<Record<string, string>> = {
  '26.10.0 linux-x64': 'ab9c8eecf9f82d6693cdc3accced17034065c8d96213b0aa76a7e803d20ae1da',
};

/**
 * Node's flags, built in: a small young generation (decision 7), and no debugger on SIGUSR1 (decision 35). SECURITY:
 * `none` means that neither NODE_OPTIONS nor an argument can add a flag, such as one that opens a debugger or loads code.
 */
const FLAGS = {
  execArgv: ['--max-semi-space-size=1', '--disable-sigusr1'],
  execArgvExtension: 'none',
} as const;

/** What the executable was made from. */
export interface Made {
  /** Sentences for the person who builds it: what could not be done here. */
  readonly notes: string[];
}

/**
 * Makes the executable from what bundle() has written to `work`.
 * @throws Error when Node cannot make it, or is not the Node that was looked at
 */
export function makeExecutable(root: string, work: string, output: string): Made {
  const notes = checkNode();
  const node = join(work, 'node');
  copyFileSync(process.execPath, node);
  if (spawnSync('strip', [node]).status !== 0) {
    copyFileSync(process.execPath, node);
    notes.push('strip (binutils) is not here: the executable keeps its symbols and is a third larger');
  }
  const config = join(work, 'executable.json');
  writeFileSync(
    config,
    JSON.stringify({
      // As it stands here the path becomes part of the executable: a relative one is the same on every machine.
      main: 'executable.mjs',
      mainFormat: 'module',
      executable: node,
      output,
      disableExperimentalSEAWarning: true,
      // No snapshot, so no memory of the building machine; no code cache, which differs from build to build.
      useSnapshot: false,
      useCodeCache: false,
      assets: { 'engine-thread.js': 'engine-thread.js', 'docs/errors.md': join(root, 'docs/errors.md') },
      ...FLAGS,
    }),
  );
  run(process.execPath, ['--build-sea', config], { cwd: work });
  // macOS starts nothing that is not signed.
  if (process.platform === 'darwin') run('codesign', ['--sign', '-', output]);
  chmodSync(output, 0o755);
  return { notes };
}

function checkNode(): string[] {
  const which = `${process.versions.node} ${process.platform}-${process.arch}`;
  const pinned = NODE_SHA256[which];
  if (pinned === undefined)
    return [`the hash of Node ${which} is not pinned: the executable holds what npm has delivered`];
  const found = createHash('sha256').update(readFileSync(process.execPath)).digest('hex');
  if (found !== pinned) throw new Error(`${process.execPath} is not the Node ${which} that was looked at`);
  return [];
}

/** Runs a command to its end. @throws Error with what it said when it fails */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string } = {},
): string {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    ...options,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  return stdout;
}
