// ssl_passphrase_command: asks the operator's program for the private key's passphrase (semantics §2.5). The answer
// is bounded in size and time, and appears in no message.

import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { errorWords, type Refuse } from './load-problem.ts';

/** OpenSSL's own prompt, which `%p` stands for. */
const PROMPT = 'Enter PEM pass phrase:';

/** PostgreSQL's buffer (PEM_BUFSIZE) less its terminator; what a longer line holds beyond it is not read. */
const MAX_PASSPHRASE_BYTES = 1023;

/** As long as systemd-ask-password waits for a person; PostgreSQL would wait for ever. */
const DEADLINE_MS = 90_000;

const ENDED_WITH_GATE = 'The gate was told to end.';

export interface PassphraseOptions {
  readonly refuse: Refuse;
  readonly deadlineMs?: number;
}

/** The commands of now. */
const running = new Set<ChildProcess>();
/** This process is to end. */
let isOver = false;

/**
 * Ends the commands that run, and lets no further one begin: whoever waits for an answer gets an error. A process that
 * was told to end would stay until the command has ended otherwise, and that may wait for a person who types.
 */
export function endPassphraseCommands(): void {
  isOver = true;
  for (const shell of running) killGroup(shell);
}

/**
 * The command's first line of output in bytes, without its line end.
 * @throws LoadError when the command cannot be run, fails, is not done in time, or is ended with the gate
 */
export async function runPassphraseCommand(
  template: string,
  { refuse, deadlineMs = DEADLINE_MS }: PassphraseOptions,
): Promise<Buffer> {
  const command = expandPlaceholders(template, refuse);
  const failure = (detail: string): Error => refuse(`command "${command}" failed`, { detail });
  if (isOver) throw failure(ENDED_WITH_GATE);
  // A process group of its own, so that what the shell has started ends with it.
  const shell = spawn('/bin/sh', ['-c', command], { stdio: ['inherit', 'pipe', 'inherit'], detached: true });
  // Before anything else: an error that nobody listens for ends the gate.
  const exit = exitOf(shell, (error) =>
    refuse(`could not execute command "${command}": ${errorWords(error, 'unknown error')}`),
  );
  running.add(shell);
  const { output, answered } = answerOf(shell);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup(shell);
  }, deadlineMs);
  try {
    const [{ code, signal }] = await Promise.all([exit, answered]);
    if (late) throw failure(`It did not end within ${deadlineMs / 1000} s.`);
    if (isOver) throw failure(ENDED_WITH_GATE);
    const detail = exitReason(code, signal);
    if (detail !== null) throw failure(detail);
  } finally {
    clearTimeout(timer);
    running.delete(shell);
    // What the shell has left running may hold the pipe's other end for ever.
    shell.stdout?.destroy();
  }
  return firstLine(Buffer.concat(output));
}

function exitOf(
  shell: ChildProcess,
  spawnFailure: (error: Error) => Error,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    shell.on('error', (error) => reject(spawnFailure(error)));
    shell.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

/**
 * What the command prints. The answer is whole with its first line, as for PostgreSQL: a process that the command has left
 * in the background does not end the output.
 */
function answerOf({ stdout }: { readonly stdout: Readable | null | undefined }): {
  readonly output: readonly Buffer[];
  readonly answered: Promise<void>;
} {
  const output: Buffer[] = [];
  const answered = new Promise<void>((resolve) => {
    // Without a free file descriptor there is no pipe, whatever the types say.
    if (stdout === null || stdout === undefined) return resolve();
    let length = 0;
    stdout.on('error', () => undefined);
    stdout.on('data', (chunk: Buffer) => {
      // What comes after the buffer's end is read and dropped: a pipe that is full or closed would fail the command.
      if (length < MAX_PASSPHRASE_BYTES) output.push(chunk.subarray(0, MAX_PASSPHRASE_BYTES - length));
      length += chunk.length;
      if (length >= MAX_PASSPHRASE_BYTES || chunk.includes('\n')) resolve();
    });
    stdout.once('close', resolve);
  });
  return { output, answered };
}

function killGroup(shell: ChildProcess): void {
  if (shell.pid === undefined) return;
  try {
    process.kill(-shell.pid, 'SIGKILL');
  } catch {
    // It has just ended by itself.
  }
  // A program that left the group may still hold the pipe's other end, and nothing more is waited for.
  shell.stdout?.destroy();
}

/** strsignal's words for the signals that end a command in practice. */
const signalNames: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGABRT: 'Aborted',
  SIGHUP: 'Hangup',
  SIGINT: 'Interrupt',
  SIGKILL: 'Killed',
  SIGPIPE: 'Broken pipe',
  SIGQUIT: 'Quit',
  SIGSEGV: 'Segmentation fault',
  SIGTERM: 'Terminated',
};

/** PostgreSQL's wait_result_to_str; null = success. */
function exitReason(code: number | null, signal: NodeJS.Signals | null): string | null {
  if (signal !== null) {
    return `child process was terminated by signal ${constants.signals[signal]}: ${signalNames[signal] ?? signal}`;
  }
  if (code === 0) return null;
  if (code === 126) return 'command not executable';
  if (code === 127) return 'command not found';
  return `child process exited with exit code ${code}`;
}

/** PostgreSQL reads a C string: what follows a NUL in the line does not count. */
function firstLine(output: Buffer): Buffer {
  const [line = ''] = output.toString('latin1').split('\n', 1);
  const [seen = ''] = line.split('\0', 1);
  return Buffer.from(seen.replace(/\r+$/, ''), 'latin1');
}

/** `%p` is the prompt, `%%` a percent sign, anything else an error (PostgreSQL's replace_percent_placeholders). */
function expandPlaceholders(template: string, refuse: Refuse): string {
  return template.replace(/%(.|$)/gsu, (_, letter: string) => {
    if (letter === 'p') return PROMPT;
    if (letter === '%') return '%';
    const detail =
      letter === ''
        ? 'String ends unexpectedly after escape character "%".'
        : `String contains unexpected placeholder "%${letter}".`;
    throw refuse(`invalid value for parameter "ssl_passphrase_command": "${template}"`, { detail });
  });
}
