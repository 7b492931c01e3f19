// Medians and what goes with them.

/** What a figure came to. */
export interface Summary {
  readonly median: number;
  /** Half the distance between the quartiles, as a share of the median; null for a single sample, and for a median of 0. */
  readonly spread: number | null;
}

/** @throws RangeError without samples */
export function summarize(samples: readonly number[]): Summary {
  const median = quantile(samples, 0.5);
  const quartiles = quantile(samples, 0.75) - quantile(samples, 0.25);
  return { median, spread: samples.length < 2 || median === 0 ? null : quartiles / 2 / Math.abs(median) };
}

/**
 * How one set of samples stands to another, round by round: what changes from round to round on the machine changes
 * both.
 */
export function summarizeRatio(of: readonly number[], to: readonly number[]): Summary {
  return summarize(of.flatMap((sample, round) => (to[round] === undefined ? [] : [sample / to[round]])));
}

/** The value below which this share of the samples lies, interpolated. @throws RangeError without samples */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new RangeError('there are no samples');
  return below + (above - below) * (position - Math.floor(position));
}
