// Runs long work in slices, so that it never holds up the sessions that the same thread relays.

import { setImmediate } from 'node:timers';
import type { Steps } from './steps.ts';

/** Milliseconds that a slice lasts, give or take one step of the work. */
const SLICE_MS = 4;

/** Work that waits for its next slice, oldest first. */
const waiting: (() => void)[] = [];

/**
 * Runs the work in slices of a few milliseconds. Between two slices sockets are read and written.
 *
 * @param signal ends the work between two slices; its reason is what is then thrown
 * @returns what the work returns; rejects with what it throws
 */
export async function inSlices<T>(steps: Steps<T>, signal?: AbortSignal): Promise<T> {
  let until = performance.now() + SLICE_MS;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() < until) continue;
    await nextTurn();
    signal?.throwIfAborted();
    until = performance.now() + SLICE_MS;
  }
}

/**
 * Resolves in a later turn of the event loop. SECURITY: however many wait, one turn lets one of them go on: the slices of
 * a hundred clients' decisions, all in one turn, would stop every session as one long decision does.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(releaseOne);
  });
}

function releaseOne(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(releaseOne);
}
