// Ends a fuzzer that an input has sent round in circles, and leaves the input behind: the loop itself cannot.

import { Worker } from 'node:worker_threads';

const HANG_MS = 30_000;
const MAX_INPUT = 65_536;
/** Int32s at the begin of the shared memory: how many inputs began, and the current one's length or -1. */
const HEADER = 2;

/** Told of each input before and after; see `startWatchdog`. */
export interface Watchdog {
  readonly begin: (input: Uint8Array) => void;
  readonly end: () => void;
  readonly stop: () => Promise<void>;
}

/**
 * Watches from a thread of its own. An input that runs for half a minute is written to `file`, and the process ends.
 */
export function startWatchdog(file: string): Watchdog {
  const shared = new SharedArrayBuffer(HEADER * 4 + MAX_INPUT);
  const state = new Int32Array(shared, 0, HEADER);
  const bytes = new Uint8Array(shared, HEADER * 4);
  Atomics.store(state, 1, -1);
  const worker = new Worker(`(${watch.toString()})()`, {
    eval: true,
    workerData: { shared, header: HEADER, hangMs: HANG_MS, file },
  });
  worker.unref();
  return {
    begin: (input) => {
      bytes.set(input.subarray(0, MAX_INPUT));
      Atomics.store(state, 1, Math.min(input.length, MAX_INPUT));
      Atomics.add(state, 0, 1);
    },
    end: () => void Atomics.store(state, 1, -1),
    stop: async () => void (await worker.terminate()),
  };
}

/** Runs in the thread, from its source text: it sees nothing of this module. */
function watch(): void {
  const { workerData } = process.getBuiltinModule('node:worker_threads');
  const { mkdirSync, writeFileSync, writeSync } = process.getBuiltinModule('node:fs');
  const { dirname } = process.getBuiltinModule('node:path');
  const { shared, header, hangMs, file } = workerData;
  const state = new Int32Array(shared, 0, header);
  let last = -1;
  for (;;) {
    // Nobody notifies: this is a sleep.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, hangMs);
    const [count, length] = [Atomics.load(state, 0), Atomics.load(state, 1)];
    if (count === last && length >= 0) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, Buffer.from(new Uint8Array(shared, header * 4, length)));
      writeSync(2, `an input hangs; it is in ${file}\n`);
      process.kill(process.pid, 'SIGKILL');
    }
    last = count;
  }
}
