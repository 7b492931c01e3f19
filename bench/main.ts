// `npm run bench`: the gate side by side with stunnel, PgBouncer and PostgreSQL's own TLS. docs/performance.md has the
// method.

import { findTool, howToGet, toolPath, type Tool } from '../test/support/run/tools.ts';
import { assertFair } from './fairness.ts';
import { describeMachine, watchLoad } from './machine.ts';
import type { Measure, Target } from './measures/measure.ts';
import { parseOptions, USAGE, UsageError, type Options } from './options.ts';
import { variantWith } from './peers/gate.ts';
import { PEERS } from './peers/index.ts';
import { versionText } from './peers/daemon.ts';
import type { Peer } from './peers/peer.ts';
import { isConclusive, renderReport, writeDocs, writeJson, type Report } from './report.ts';
import { takeRounds, type Result } from './rounds.ts';
import { BenchScope } from './scope.ts';
import { startStage } from './stage.ts';
import { judge } from './verdict.ts';

const CLIENTS: readonly Tool[] = ['psql', 'pgbench'];

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    const missing = CLIENTS.filter((tool) => findTool(tool) === null);
    if (missing.length > 0) throw new UsageError(`${missing.join(' and ')} not here: ${howToGet(missing)}`);
    return await bench(options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw inFull(error);
    process.stderr.write(`${error.message}\n${USAGE}`);
    return 2;
  }
}

/** What failed, and behind it what failed while it was cleaned up: Node prints neither of a SuppressedError's two. */
function inFull(error: unknown): unknown {
  if (!(error instanceof SuppressedError)) return error;
  return new AggregateError([inFull(error.suppressed), inFull(error.error)], error.message);
}

async function bench(options: Options): Promise<number> {
  const at = new Date();
  const loadSoFar = watchLoad();
  const peers = options.variant === null ? PEERS : [...PEERS, variantWith(options.variant)];
  const present = peers.filter((peer) => peer.version() !== null);
  const possible = options.measures.filter((measure) => reasonAgainst(measure) === null);
  await using lifetime = new BenchScope('bench');
  endOnSignal(lifetime);
  const results = await measureAll(options, present, possible, lifetime);
  const report: Report = {
    at,
    quick: options.quick,
    rounds: options.rounds,
    machine: describeMachine(),
    load: loadSoFar(),
    versions: {
      ...Object.fromEntries(present.map((peer) => [peer.name, peer.version() ?? ''])),
      ...Object.fromEntries(CLIENTS.map((tool) => [tool, clientVersion(tool)])),
    },
    leftOut: whatIsLeftOut(peers, options.measures),
    rows: results.map(judge),
    samples: Object.fromEntries(results.map(({ figure, samples }) => [figure.id, samples])),
  };
  process.stdout.write(`${renderReport(report)}\n`);
  process.stderr.write(`wrote ${writeJson(report, options.json)}\n`);
  return options.writeDocs ? await updateDocs(report) : 0;
}

/** Ctrl-C leaves neither servers nor gigabytes behind. */
function endOnSignal(lifetime: BenchScope): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void lifetime[Symbol.asyncDispose]().finally(() => process.exit(1)));
  }
}

function whatIsLeftOut(peers: readonly Peer[], measures: readonly Measure[]): Report['leftOut'] {
  return [
    ...peers.map(({ name, install, version }) => ({
      what: name,
      why: version() === null ? `not installed (${install})` : null,
    })),
    ...measures.map((measure) => ({ what: measure.name, why: reasonAgainst(measure) })),
  ].flatMap(({ what, why }) => (why === null ? [] : [{ what, why }]));
}

async function measureAll(
  { quick, rounds, sizes }: Options,
  peers: readonly Peer[],
  measures: readonly Measure[],
  { scope }: BenchScope,
): Promise<readonly Result[]> {
  progress('starting PostgreSQL and the peers');
  const stage = await startStage(scope);
  const targets: Target[] = [];
  for (const peer of peers) {
    const running = await peer.start(stage, scope);
    progress(`${peer.name}: same terms, same bytes`);
    await assertFair(stage, scope, running);
    targets.push({ ...running, peer });
  }
  const results: Result[] = [];
  for (const measure of measures) {
    results.push(...(await takeRounds(measure, targets, stage, { rounds, sizes, warmUp: !quick, progress })));
  }
  progress('');
  return results;
}

async function updateDocs(report: Report): Promise<number> {
  if (!isConclusive(report)) {
    process.stderr.write('docs/performance.md keeps its table: the machine was not quiet\n');
    return 1;
  }
  await writeDocs(report);
  process.stderr.write('docs/performance.md has the new table\n');
  return 0;
}

function reasonAgainst({ leftOut }: Measure): string | null {
  return leftOut?.() ?? null;
}

function clientVersion(tool: Tool): string {
  return /\(PostgreSQL\) (\S+)/.exec(versionText(toolPath(tool), ['--version']))?.[1] ?? 'unknown';
}

/** One line that replaces itself on a terminal; lines elsewhere. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (text !== '') process.stderr.write(`${text}\n`);
}
