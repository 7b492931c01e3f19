// The end of every switch over a closed union in rules/.

/** Unreachable as far as types go. SECURITY: a value outside the union ends in an error, never in an admission. */
export function never(value: never): never {
  throw new Error(`no rule for ${JSON.stringify(value)}`);
}
