// What the samples say of the gate: its ratio to the best peer, and whether its goals are met.

import type { Figure, Goal } from './measures/measure.ts';
import { RIVALS, type PeerName } from './peers/peer.ts';
import type { Result } from './rounds.ts';
import { summarize, summarizeRatio, type Summary } from './statistics.ts';

/** The gate's figure over a peer's. */
export interface Ratio extends Summary {
  readonly to: PeerName;
}

/** A goal and what became of it. */
export interface Judgement {
  readonly goal: Goal;
  /** The goal in words, such as `≤ 0.90 of stunnel`. */
  readonly text: string;
  /** The figure or ratio that the goal is about; null where the peer is not there. */
  readonly value: number | null;
  readonly met: boolean | null;
}

/** A row of the table. */
export interface Row {
  readonly measure: string;
  readonly figure: Figure;
  readonly summaries: Readonly<Partial<Record<PeerName, Summary>>>;
  /** To the best of stunnel and PgBouncer; null where neither takes part. */
  readonly ratio: Ratio | null;
  /** The second gate's to the first. */
  readonly variant: Ratio | null;
  readonly judgements: readonly Judgement[];
}

/** Reads one figure's samples. */
export function judge({ measure, figure, samples }: Result): Row {
  const summaries = Object.fromEntries(
    Object.entries(samples).map(([name, values]) => [name, summarize(values)]),
  ) as Row['summaries'];
  const best = bestRival(figure, summaries);
  const ratio = (of: PeerName, to: PeerName | null): Ratio | null => {
    const [ours, theirs] = [samples[of], to === null ? undefined : samples[to]];
    if (ours === undefined || theirs === undefined || to === null) return null;
    // A peer whose cost is too little to count makes no ratio.
    if (theirs.includes(0)) return null;
    return { to, ...summarizeRatio(ours, theirs) };
  };
  const judgements = figure.goals.map((goal) => {
    const value =
      'ratioTo' in goal
        ? (ratio('gate', goal.ratioTo === 'best' ? best : goal.ratioTo)?.median ?? null)
        : (summaries.gate?.median ?? null);
    const met = value === null ? null : figure.better === 'less' ? value <= goal.limit : value >= goal.limit;
    return { goal, text: goalText(figure, goal), value, met };
  });
  return {
    measure,
    figure,
    summaries,
    ratio: ratio('gate', best),
    variant: ratio('variant', 'gate'),
    judgements,
  };
}

function bestRival({ better }: Figure, summaries: Row['summaries']): PeerName | null {
  const present = RIVALS.flatMap((name) => {
    const summary = summaries[name];
    return summary === undefined ? [] : [{ name, median: summary.median }];
  });
  const sorted = present.toSorted((a, b) => (better === 'less' ? a.median - b.median : b.median - a.median));
  return sorted[0]?.name ?? null;
}

function goalText({ better, unit }: Figure, goal: Goal): string {
  const sign = better === 'less' ? '≤' : '≥';
  if (!('ratioTo' in goal)) return `${sign} ${goal.limit} ${unit}`;
  return `${sign} ${goal.limit.toFixed(2)} of ${goal.ratioTo === 'best' ? 'the best' : goal.ratioTo}`;
}
