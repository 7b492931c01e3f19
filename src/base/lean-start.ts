// V8 while the program is loaded: its compilers have to wait.

import { setFlagsFromString } from 'node:v8';

/** Loading a small gate is over by then. One that reads long files goes on with the compilers. */
const LOADED_MS = 500;

/** By the names of V8's flags. */
const COMPILERS = ['opt', 'maglev', 'sparkplug'] as const;

/**
 * Keeps V8 from compiling what runs only while the program is loaded. Its optimizing compilers are 9 MB of Node's
 * executable, which a gate with little to do would hold in memory from then on; what they and the third one make is 1 MB.
 */
export function startLean(): void {
  for (const compiler of COMPILERS) setFlagsFromString(`--no-${compiler}`);
  setTimeout(() => {
    for (const compiler of COMPILERS) setFlagsFromString(`--${compiler}`);
  }, LOADED_MS).unref();
}
