// V8 while the program is loaded: its optimizing compilers have to wait.

import { setFlagsFromString } from 'node:v8';

/** Loading a small gate is over by then. One that reads long files goes on with the compilers. */
const LOADED_MS = 500;

/**
 * Keeps V8 from optimizing what runs only while the program is loaded. Its two optimizing compilers are 9 MB of Node's
 * executable, which a gate with little to do would hold in memory from then on.
 */
export function startLean(): void {
  setFlagsFromString('--no-opt');
  setFlagsFromString('--no-maglev');
  setTimeout(() => {
    setFlagsFromString('--opt');
    setFlagsFromString('--maglev');
  }, LOADED_MS).unref();
}
