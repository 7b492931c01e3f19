// Long work as a generator that yields where it may be interrupted. The caller decides whether other work runs in between.

/** Work that yields nothing but the chance to pause, and returns its result. */
export type Steps<T> = Generator<void, T, void>;

/** Does all of the work at once: for programs that do nothing else, such as `check`. */
export function runToEnd<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
