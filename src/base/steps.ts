// Long work that can be done piece by piece: a generator that yields wherever it may be interrupted. Whoever runs it
// decides whether others have their turn in between.

/** Work that yields nothing but the chance to pause, and returns its result. */
export type Steps<T> = Generator<void, T, void>;

/** Does all of the work at once: for programs that do nothing else, such as `check`. */
export function runToEnd<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
