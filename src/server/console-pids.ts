// pg_backend_pid() of each console.

/** No process of an upstream has a number as high: they end at 4194304 on Linux. */
const FIRST = 2 ** 30;

/** Numbers for consoles, none of them twice before 2^30 others. */
export class ConsolePids {
  #last = -1;

  next(): number {
    this.#last = (this.#last + 1) % FIRST;
    return FIRST + this.#last;
  }
}
