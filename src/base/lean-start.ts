// V8 while the program is loaded: its optimizing compilers have to wait.

import { setFlagsFromString } from 'node:v8';

/** Loading a small gate is over by then. One that reads long files goes on with the compilers. */
const LOADED_MS = 500;

/**
 * By the names of V8's flags. The baseline compiler does not wait: a gate that had compiled nothing at its start took
 * 1.2 times the processor time for each of its first 1,500 connections.
 */
const COMPILERS = ['opt', 'maglev'] as const;

/**
 * Keeps V8 from optimizing what runs only while the program is loaded. Its two optimizing compilers are 9 MB of Node's
 * executable, which a gate with little to do would hold in memory from then on.
 */
export function startLean(): void {
  // V8 under `--jitless` has no WebAssembly either. It may write no machine code, and dies where a compiler is switched on.
  if (!('WebAssembly' in globalThis)) return;
  for (const compiler of COMPILERS) setFlagsFromString(`--no-${compiler}`);
  setTimeout(() => {
    for (const compiler of COMPILERS) setFlagsFromString(`--${compiler}`);
  }, LOADED_MS).unref();
}
