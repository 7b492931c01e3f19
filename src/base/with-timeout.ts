// Waiting with an end.

/** Waits for `promise` or `ms` milliseconds, or until what `onStart` was given is called, whichever is first. */
export async function withTimeout(
  promise: Promise<unknown>,
  ms: number,
  onStart: (hasten: () => void) => void = () => {},
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
    onStart(resolve);
  });
  await Promise.race([promise, elapsed]);
  clearTimeout(timer);
}
