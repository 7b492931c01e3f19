// The order of things: every peer does a measure's work once a round, in an order that changes from round to round, so
// that what the machine does meanwhile meets them all.

import type { Context, Figure, Measure, Sample, Sizes, Target } from './measures/measure.ts';
import type { PeerName } from './peers/peer.ts';
import { BenchScope } from './scope.ts';
import type { Stage } from './stage.ts';

/**
 * Enough to warm up: the rest of a measure's run is the same whatever its size. After 1,500 connections V8 has compiled
 * what a gate that has served for an hour runs; every peer serves as many.
 */
const WARM_UP: Sizes = {
  copyMegabytes: 50,
  valueMegabytes: 20,
  querySeconds: 1,
  connectionSeconds: 1,
  connectionCount: 1500,
  connectionsBefore: 0,
  latencySeconds: 1,
  restSeconds: 1,
  settleSeconds: 0,
};

/** One figure and its samples, a sample a round. */
export interface Result {
  readonly measure: string;
  readonly figure: Figure;
  readonly samples: Readonly<Partial<Record<PeerName, readonly number[]>>>;
}

export interface Plan {
  readonly rounds: number;
  /** Whether measures that ask for one get their first, uncounted sample. */
  readonly warmUp: boolean;
  readonly sizes: Sizes;
  /** Told before each sample. */
  readonly progress: (text: string) => void;
}

/** Takes a measure's samples. @throws Error that names the peer whose work failed */
export async function takeRounds(
  measure: Measure,
  targets: readonly Target[],
  stage: Stage,
  plan: Plan,
): Promise<readonly Result[]> {
  const participants = targets.filter(({ name }) => measure.peers.includes(name));
  const taken = new Map<PeerName, Sample[]>(participants.map(({ name }) => [name, []]));
  const firstRound = measure.warmUp && plan.warmUp ? 0 : 1;
  const rounds = Math.min(plan.rounds, measure.maxRounds ?? plan.rounds);
  for (let round = firstRound; round <= rounds; round += 1) {
    for (const target of rotated(participants, round)) {
      const what = round === 0 ? 'warm-up' : `round ${round} of ${rounds}`;
      plan.progress(`${measure.name}: ${target.name}, ${what}`);
      const sample = await takeSample(measure, target, stage, round === 0 ? WARM_UP : plan.sizes);
      if (round > 0) taken.get(target.name)?.push(sample);
    }
  }
  return measure.figures.map((figure) => ({
    measure: measure.name,
    figure,
    samples: Object.fromEntries(
      [...taken].map(([name, samples]) => [name, samples.map((sample) => valueOf(sample, figure))]),
    ),
  }));
}

async function takeSample(measure: Measure, target: Target, stage: Stage, sizes: Sizes): Promise<Sample> {
  await using lifetime = new BenchScope(measure.name);
  const context: Context = { stage, sizes, scope: lifetime.scope };
  try {
    return await measure.run(target, context);
  } catch (error) {
    throw new Error(`${measure.name} failed with ${target.name}`, { cause: error });
  }
}

function rotated<Item>(items: readonly Item[], by: number): readonly Item[] {
  const start = by % Math.max(items.length, 1);
  return [...items.slice(start), ...items.slice(0, start)];
}

function valueOf(sample: Sample, { id }: Figure): number {
  const value = sample[id];
  if (value === undefined) throw new Error(`no sample of ${id}`);
  return value;
}
