// Waits that end.

/** Waits for `promise`, for `ms` milliseconds, or for the call of the function that `onStart` gets: the first of them. */
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
