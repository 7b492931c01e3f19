// `npm run fuzz -- [--target NAME] [--seconds N] [--seed S]`: fuzzes one target or all, one after the other. What it
// finds goes to fuzz/findings/NAME/, small enough to become a file of test/fixtures/fuzz/NAME/.

import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fuzz, type Finding, type FuzzResult, type Progress } from './engine.ts';
import { instrument, type Instrumented } from './instrument.ts';
import { regressionsOf } from './regressions.ts';
import { isTargetName, targetNames, targets, type TargetName } from './target.ts';
import { startWatchdog } from './watchdog.ts';

const USAGE = `usage: npm run fuzz -- [--target NAME] [--seconds N] [--seed S]\n\ntargets: ${targetNames.join(' ')}\n`;
const DEFAULT_SECONDS = 60;

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { target: { type: 'string' }, seconds: { type: 'string' }, seed: { type: 'string' } },
  });
  const seconds = Number(values.seconds ?? DEFAULT_SECONDS);
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const name = values.target;
  if (!(seconds > 0) || !Number.isInteger(seed) || (name !== undefined && !isTargetName(name))) {
    process.stderr.write(USAGE);
    return 2;
  }
  const coverage = instrument();
  let findings = 0;
  for (const target of name === undefined ? targetNames : [name]) {
    const result = await fuzzOne(target, coverage, { seconds, seed });
    findings += result.found.length;
    for (const finding of result.found) save(target, finding);
  }
  return findings === 0 ? 0 : 1;
}

async function fuzzOne(
  name: TargetName,
  coverage: Instrumented,
  { seconds, seed }: { readonly seconds: number; readonly seed: number },
): Promise<FuzzResult> {
  const target = await targets[name]();
  const watchdog = startWatchdog(`${folder(name)}hang`);
  const tell = (progress: Progress): void => print(`${name}: ${describe(progress)}`);
  print(`${name}: seed ${seed}, ${seconds} s`);
  try {
    const result = await fuzz({
      target,
      coverage,
      seed,
      seconds,
      corpus: regressionsOf(name),
      watchdog,
      // At once: making it small may take its time.
      onFinding: (finding) => save(name, finding),
      onProgress: every(12, tell),
    });
    tell(result);
    return result;
  } finally {
    await watchdog.stop();
    await target.close?.();
  }
}

function save(name: TargetName, { input, error }: Finding): void {
  mkdirSync(folder(name), { recursive: true });
  const file = `${folder(name)}${createHash('sha256').update(input).digest('hex').slice(0, 12)}`;
  writeFileSync(file, input);
  print(`\n${name}: ${wordsOf(error)}\n  input: ${file}`);
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function folder(name: TargetName): string {
  return fileURLToPath(new URL(`findings/${name}/`, import.meta.url));
}

function describe({ executions, seconds, corpus, reached, blocks, rssBytes, findings }: Progress): string {
  const perSecond = Math.round(executions / seconds);
  const rss = Math.round(rssBytes / 2 ** 20);
  return `${executions} inputs in ${Math.round(seconds)} s (${perSecond}/s), corpus ${corpus}, blocks ${reached} of ${blocks}, ${rss} MiB, findings ${findings}`;
}

/** Only each n-th call gets through. */
function every<T>(n: number, tell: (value: T) => void): (value: T) => void {
  let calls = 0;
  return (value) => {
    if (calls++ % n === 0) tell(value);
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
