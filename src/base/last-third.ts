// When something that ends is worth a word (contract §17): in the last third of its life, and some days before its end at
// most. A certificate of 90 days is warned of for 30, one of a day for eight hours.

/** When something begins and ends. */
export interface Life {
  readonly from: Date;
  readonly to: Date;
}

const SHARE = 1 / 3;

/** Certificates, at most this long before their end, in milliseconds. */
export const CERTIFICATE_WARNED_MS = 30 * 24 * 60 * 60 * 1000;

/** Whether `now` is in the last third of a life, and no longer than `atMostMs` before its end; after the end it is too. */
export function isInLastThird({ from, to }: Life, now: Date, atMostMs: number): boolean {
  const left = to.getTime() - now.getTime();
  return left < Math.min(atMostMs, (to.getTime() - from.getTime()) * SHARE);
}
