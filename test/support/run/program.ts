// The program under test as a user starts it: from src/ by type stripping, from dist/ through its bin, or as the single
// executable that the environment variable GATEHOUSE_PROGRAM names.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS, within } from './waiting.ts';

/** Which of the two; src needs no build. */
export type Via = 'src' | 'dist';

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly via?: Via;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
}

/** The executable under test; null when it is the program of this tree under Node. */
export const EXECUTABLE = process.env['GATEHOUSE_PROGRAM'] ?? null;

/** The command up to the program's own arguments. */
export function programCommand(via: Via = 'src'): readonly [command: string, ...args: string[]] {
  if (EXECUTABLE !== null) return [EXECUTABLE];
  const file = via === 'src' ? '../../../src/cli.ts' : '../../../bin/pg-gatehouse.js';
  return [process.execPath, fileURLToPath(new URL(file, import.meta.url))];
}

/** Runs `pg-gatehouse ARGS…` to its end: check, explain, pki, wrong usage. */
export async function runProgram(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const [command, ...before] = programCommand(options.via);
  return runToEnd(command, [...before, ...args], options);
}

/** Runs a command to its end and collects what it says. @throws Error when it cannot be started or does not end. */
export async function runToEnd(
  command: string,
  args: readonly string[],
  { cwd, env = {}, input, timeoutMs = 2 * PATIENCE_MS }: Omit<RunOptions, 'via'> = {},
): Promise<Finished> {
  // Through env(1), because tap puts a loader of its own into the environment of whatever a test spawns.
  const environment = Object.entries(cleanEnvironment(env)).map(([name, value]) => `${name}=${value}`);
  const child = spawn('env', ['-i', ...environment, command, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  try {
    // A program that does not read its input closes the pipe: no failure of ours.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const output = Promise.all([text(child.stdout), text(child.stderr)]);
    output.catch(() => undefined);
    await within(once(child, 'close'), `${command} ${args.join(' ')} to end`, timeoutMs);
    const [stdout, stderr] = await output;
    return { code: child.exitCode, signal: child.signalCode, stdout, stderr };
  } finally {
    child.kill('SIGKILL');
    process.off('exit', killWithUs);
  }
}

/**
 * An environment that is the same on every machine: no PG* variables of the developer's, no ~/.postgresql or
 * ~/.psqlrc, nothing of npm's, systemd's or node's own options; what main.ts tells by stays.
 */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = ['PATH', 'TMPDIR', 'GATEHOUSE_TEST_RUN'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), HOME: '/nonexistent', LC_ALL: 'C.UTF-8', ...extra };
}
