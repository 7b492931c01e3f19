// What a measure is: a piece of work that every peer does in turn, and the figures that come of it.

import { setTimeout as delay } from 'node:timers/promises';
import type { Scope } from '../../test/support/run/scope.ts';
import type { Peer, PeerName, RunningPeer } from '../peers/peer.ts';
import { cpuSeconds, memoryBytes } from '../process-tree.ts';
import type { Endpoint, Stage } from '../stage.ts';

/** How much work is done for one sample. */
export interface Sizes {
  readonly copyMegabytes: number;
  readonly valueMegabytes: number;
  readonly querySeconds: number;
  readonly connectionSeconds: number;
  /** So many connections instead of those of some seconds; null = by time. */
  readonly connectionCount: number | null;
  /** So many are made to a fresh process before those that count. */
  readonly connectionsBefore: number;
  readonly latencySeconds: number;
  /** How long a peer with nothing to do is watched, and how long it is left alone before. */
  readonly restSeconds: number;
  readonly settleSeconds: number;
}

/** A peer at work, and how to start another of its kind. */
export interface Target extends RunningPeer {
  readonly peer: Peer;
}

export interface Context {
  readonly stage: Stage;
  readonly sizes: Sizes;
  /** Ends when the sample is taken. */
  readonly scope: Scope;
}

/** A limit that the gate's figure shall keep. */
export type Goal =
  /** The gate's median over a peer's, or over that of the best of stunnel and PgBouncer. */
  | { readonly ratioTo: PeerName | 'best'; readonly limit: number }
  /** The gate's median itself. */
  | { readonly limit: number };

/** One row of the table. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly better: 'less' | 'more';
  readonly goals: readonly Goal[];
}

/** Samples by the figure's id. */
export type Sample = Readonly<Record<string, number>>;

export interface Measure {
  readonly name: string;
  readonly figures: readonly Figure[];
  readonly peers: readonly PeerName[];
  /** Whether a first, uncounted sample with less work comes before the others, so that code is compiled and caches are filled. */
  readonly warmUp: boolean;
  /** The most rounds that say something new; absent = any number. */
  readonly maxRounds?: number;
  /** Why it cannot be taken on this machine; null where it can. */
  readonly leftOut?: () => string | null;
  /** Takes one sample. @throws Error when the work fails: what goes wrong is not measured */
  readonly run: (target: Target, context: Context) => Promise<Sample>;
}

export const PROXIES = [
  'gate',
  'variant',
  'stunnel',
  'pgbouncer',
  'bare-node',
] as const satisfies readonly PeerName[];

/** What closing the connections costs belongs to the work, and is over this long after it. */
const AFTERMATH_MS = 100;

const POLL_MS = 20;
const PATIENCE_MS = 15_000;

/** Between two looks at a tree's memory. */
const SETTLING_MS = 300;
const SETTLED_WITHIN = 0.002;
const SETTLING_LOOKS = 10;

/** The CPU that a piece of work cost, divided by how much it was. */
export interface Cost<Result> {
  readonly cpuSecondsPerUnit: number;
  readonly result: Result;
}

/**
 * Has work done through a peer, and says what CPU its whole process tree used for a unit of it. Where the peer has a
 * baseline, the work is done there too and its cost subtracted.
 */
export async function costOf<Result>(
  target: RunningPeer,
  work: (endpoint: Endpoint) => Promise<{ readonly units: number; readonly result: Result }>,
): Promise<Cost<Result>> {
  const through = async (endpoint: Endpoint): Promise<Cost<Result>> => {
    const before = cpuSeconds(target.pid);
    const { units, result } = await work(endpoint);
    await delay(AFTERMATH_MS);
    return { cpuSecondsPerUnit: (cpuSeconds(target.pid) - before) / units, result };
  };
  const { cpuSecondsPerUnit, result } = await through(target.endpoint);
  if (target.baseline === null) return { cpuSecondsPerUnit, result };
  const baseline = await through(target.baseline);
  return { cpuSecondsPerUnit: cpuSecondsPerUnit - baseline.cpuSecondsPerUnit, result };
}

/** Memory of the tree in bytes, once it no longer changes, or after three seconds. */
export async function settledMemoryBytes(pid: number): Promise<number> {
  let last = memoryBytes(pid);
  for (let look = 0; look < SETTLING_LOOKS; look += 1) {
    await delay(SETTLING_MS);
    const now = memoryBytes(pid);
    if (Math.abs(now - last) < SETTLED_WITHIN * last) return now;
    last = now;
  }
  return last;
}

/** Asks until it holds. @throws Error when it does not in 15 seconds */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${PATIENCE_MS / 1000} s until ${what}`);
    await delay(POLL_MS);
  }
}
