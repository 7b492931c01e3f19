// The command line of `npm run bench`.

import { parseArgs } from 'node:util';
import { MEASURES } from './measures/index.ts';
import type { Measure, Sizes } from './measures/measure.ts';

export interface Options {
  readonly quick: boolean;
  readonly rounds: number;
  readonly sizes: Sizes;
  readonly measures: readonly Measure[];
  /** Node options of a second gate, or the folder that it is built in; null = none. */
  readonly variant: Variant | null;
  readonly writeDocs: boolean;
  /** Where the JSON goes; null = a file of its own in bench/results/. */
  readonly json: string | null;
}

/** What the second gate has different. */
export type Variant = { readonly nodeOptions: string } | { readonly folder: string };

export const USAGE = `usage: npm run bench -- [--quick] [--rounds N] [--only ${MEASURES.map(({ name }) => name).join(',')}] [--variant=OPTIONS | --variant-from FOLDER] [--json FILE] [--write-docs]

  --quick       one round of little work, in less than a minute: shows that it runs, proves nothing
  --rounds N    samples of each figure and peer (7; with --quick 1)
  --only LIST   these measures only
  --variant=OPTIONS
                a second gate with these Node options, in a column of its own
  --variant-from FOLDER
                a second gate that is built in this folder, another edition for one
  --json FILE   where all samples go (a file of its own in bench/results/)
  --write-docs  puts the table into docs/performance.md; for whole runs on a quiet machine
`;

const FULL = {
  rounds: 7,
  sizes: {
    copyMegabytes: 1000,
    valueMegabytes: 200,
    querySeconds: 5,
    connectionSeconds: 5,
    connectionCount: null,
    connectionsBefore: 1500,
    latencySeconds: 8,
    restSeconds: 10,
    settleSeconds: 6,
  },
} as const satisfies { rounds: number; sizes: Sizes };

const QUICK = {
  rounds: 1,
  sizes: {
    copyMegabytes: 100,
    valueMegabytes: 200,
    querySeconds: 1,
    connectionSeconds: 1,
    connectionCount: null,
    connectionsBefore: 100,
    latencySeconds: 1,
    restSeconds: 1,
    settleSeconds: 0,
  },
} as const satisfies { rounds: number; sizes: Sizes };

/** Reads the arguments. @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  const { quick, rounds, only, variant, 'variant-from': folder, json, 'write-docs': writeDocs } = parse(args);
  const size = quick ? QUICK : FULL;
  if (rounds !== undefined && !/^[1-9]\d{0,3}$/.test(rounds)) {
    throw new UsageError(`--rounds takes a number from 1 on, not "${rounds}"`);
  }
  if (variant !== undefined && folder !== undefined) {
    throw new UsageError('--variant and --variant-from are two second gates; there is one');
  }
  if (writeDocs && (quick || only !== undefined || variant !== undefined)) {
    throw new UsageError(
      '--write-docs takes the figures of a whole run: no --quick, --only or --variant= goes with it',
    );
  }
  return {
    quick,
    writeDocs,
    variant: variant !== undefined ? { nodeOptions: variant } : folder !== undefined ? { folder } : null,
    json: json ?? null,
    rounds: rounds === undefined ? size.rounds : Number(rounds),
    sizes: size.sizes,
    measures: only === undefined ? MEASURES : chosen(only.split(',')),
  };
}

/** A command line that cannot be understood. */
export class UsageError extends Error {}

function chosen(names: readonly string[]): readonly Measure[] {
  const unknown = names.find((name) => !MEASURES.some((measure) => measure.name === name));
  if (unknown !== undefined) throw new UsageError(`there is no measure "${unknown}"`);
  return MEASURES.filter(({ name }) => names.includes(name));
}

function parse(args: readonly string[]): {
  quick: boolean;
  rounds?: string;
  only?: string;
  variant?: string;
  'variant-from'?: string;
  json?: string;
  'write-docs': boolean;
} {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        only: { type: 'string' },
        variant: { type: 'string' },
        'variant-from': { type: 'string' },
        json: { type: 'string' },
        'write-docs': { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
