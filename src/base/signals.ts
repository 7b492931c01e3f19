// Handles signals from the first moment. This file imports nothing of the program, so that the bin and a worker can load
// it before everything else. Without a listener a signal would end the process at once.

import { readFileSync } from 'node:fs';

/** The gate's answer to each signal whose default would end the process, or open Node's debugger (SIGUSR1). */
const MEANINGS = {
  SIGHUP: 'reload',
  SIGTERM: 'drain',
  SIGINT: 'fast',
  SIGQUIT: 'fast',
  // The processor time that a limit allows is used up, or the power fails: an orderly end, while there is time.
  SIGXCPU: 'drain',
  SIGPWR: 'drain',
  // SECURITY: without a listener of the program's own Node would open its debugger to every user of the machine.
  SIGUSR1: 'nothing',
  SIGUSR2: 'nothing',
  SIGALRM: 'nothing',
  SIGVTALRM: 'nothing',
  SIGPROF: 'nothing',
  SIGIO: 'nothing',
  SIGSTKFLT: 'nothing',
} as const satisfies Readonly<Partial<Record<NodeJS.Signals, string>>>;

// Left to their defaults: SIGPIPE and SIGXFSZ, which Node ignores; those of a defect (SIGSEGV, SIGABRT, …); those that
// stop a process and let it go on (SIGTSTP, SIGTTIN, SIGTTOU: to catch the last would write to the terminal for ever).

/** What a signal asks for. */
export type Meaning = (typeof MEANINGS)[keyof typeof MEANINGS];

/** A signal that has come. */
export interface Received {
  readonly signal: NodeJS.Signals;
  readonly meaning: Meaning;
}

type Handler = (received: Received) => void;

/** Signals that came before followSignals() was called. */
const held: Received[] = [];
let handler: Handler | null = null;
let listening = false;

/** Keeps signals from ending this process from now on, until followSignals() says what to do on them. */
export function holdSignals(): void {
  if (listening) return;
  listening = true;
  for (const [signal, meaning] of entriesOf(MEANINGS)) {
    // V8's profiler needs this one.
    if (signal === 'SIGPROF' && isProfiled()) continue;
    process.on(signal, () => {
      if (handler === null) held.push({ signal, meaning });
      else handler({ signal, meaning });
    });
  }
}

/** Calls `follow` for each signal, those that came before included. */
export function followSignals(follow: Handler): void {
  holdSignals();
  handler = follow;
  for (const received of held.splice(0)) follow(received);
  lookForBlocked(follow);
}

/** How often the kernel is asked for a signal that Node does not pass on, in milliseconds. */
const LOOK_MS = 1_000;
/** The bit of SIGUSR1, number 10 on Linux, in the masks of /proc/self/status. */
const SIGUSR1_BIT = 0x200n;

/**
 * With --disable-sigusr1 Node blocks SIGUSR1 for good: its listener is never called, and the signal stays pending. Only
 * the kernel knows that it came, once. Without this look nobody would learn why nothing happens.
 */
function lookForBlocked(follow: Handler): void {
  if (process.platform !== 'linux' || !/--disable-sigusr1/.test(nodeOptions())) return;
  const timer = setInterval(() => {
    if (!isPending(SIGUSR1_BIT)) return;
    clearInterval(timer);
    follow({ signal: 'SIGUSR1', meaning: MEANINGS.SIGUSR1 });
  }, LOOK_MS).unref();
}

function isPending(bit: bigint): boolean {
  try {
    const mask = /^ShdPnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    return mask !== undefined && (BigInt(`0x${mask}`) & bit) !== 0n;
  } catch {
    return false;
  }
}

function nodeOptions(): string {
  return `${process.execArgv.join(' ')} ${process.env['NODE_OPTIONS'] ?? ''}`;
}

function isProfiled(): boolean {
  return /--(?:cpu-)?prof/.test(nodeOptions());
}

function entriesOf<Key extends string, Value>(object: Readonly<Record<Key, Value>>): [Key, Value][] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a literal's own keys
  return Object.entries(object) as [Key, Value][];
}
