// How long small queries take while a COPY takes all it can get: the same number a second for every peer, each timed
// from when it was due, so that a peer that makes them wait is not spared the ones it delayed.

import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startClient, connectionString } from '../../test/support/peers/psql.ts';
import { temporaryDirectory } from '../../test/support/run/temporary.ts';
import { pgbench } from '../clients.ts';
import { startGateWith } from '../peers/gate.ts';
import { PEER_NAMES } from '../peers/peer.ts';
import { bulkQuery, type Endpoint, type Stage } from '../stage.ts';
import { quantile } from '../statistics.ts';
import { until, type Context, type Measure, type Sample } from './measure.ts';

const SESSIONS = 4;
const QUERIES_A_SECOND = 500;
/** More than any machine copies meanwhile. */
const MEGABYTES = 10_000_000;

export const latency: Measure = {
  name: 'latency',
  figures: [
    {
      id: 'latency-p50',
      title: 'small query during a COPY, p50',
      unit: 'ms',
      better: 'less',
      goals: [{ ratioTo: 'stunnel', limit: 1 }],
    },
    {
      id: 'latency-p99',
      title: 'small query during a COPY, p99',
      unit: 'ms',
      better: 'less',
      goals: [{ ratioTo: 'stunnel', limit: 1 }],
    },
    {
      id: 'latency-copy',
      title: 'that COPY',
      unit: 'MB/s',
      better: 'more',
      goals: [{ ratioTo: 'stunnel', limit: 0.95 }],
    },
  ],
  peers: PEER_NAMES,
  warmUp: true,
  run: async ({ endpoint }, context) => await besideCopy(endpoint, context, 'latency'),
};

export const latencyWithWorkers: Measure = {
  name: 'latency-workers',
  figures: [
    {
      id: 'latency-workers-p50',
      title: 'the same with `workers: 2`, p50',
      unit: 'ms',
      better: 'less',
      goals: [],
    },
    {
      id: 'latency-workers-p99',
      title: 'the same with `workers: 2`, p99',
      unit: 'ms',
      better: 'less',
      goals: [],
    },
    { id: 'latency-workers-copy', title: 'that COPY', unit: 'MB/s', better: 'more', goals: [] },
  ],
  peers: ['gate'],
  warmUp: false,
  run: async (_, context) => {
    const { endpoint } = await startGateWith(context.stage, context.scope, { workers: 2 });
    return await besideCopy(endpoint, context, 'latency-workers');
  },
};

/** @param prefix of the figures' ids */
async function besideCopy(endpoint: Endpoint, context: Context, prefix: string): Promise<Sample> {
  const { stage, scope, sizes } = context;
  const directory = temporaryDirectory(scope);
  const stop = await startCopy(context, endpoint);
  const begin = { at: performance.now(), bytes: await bytesCopied(stage) };
  const args = ['-S', '-M', 'prepared', '-c', String(SESSIONS), '-R', String(QUERIES_A_SECOND)];
  const logged = ['--log', `--log-prefix=${join(directory, 'log')}`];
  await pgbench(stage, endpoint, [...args, '-T', String(sizes.latencySeconds), ...logged]);
  const seconds = (performance.now() - begin.at) / 1000;
  const megabytes = ((await bytesCopied(stage)) - begin.bytes) / 1e6;
  await stop();
  const waits = transactionMilliseconds(directory);
  return {
    [`${prefix}-p50`]: quantile(waits, 0.5),
    [`${prefix}-p99`]: quantile(waits, 0.99),
    [`${prefix}-copy`]: megabytes / seconds,
  };
}

/** Starts a COPY that does not end by itself, and waits until it runs; the function it returns ends it. */
async function startCopy({ stage, scope }: Context, endpoint: Endpoint): Promise<() => Promise<void>> {
  const command = String.raw`\copy (${bulkQuery(MEGABYTES)}) to '/dev/null'`;
  const client = startClient(scope, 'psql', [
    '-X',
    '-w',
    '-c',
    command,
    connectionString(stage.conninfo(endpoint)),
  ]);
  await until('the COPY runs', async () => (await bytesCopied(stage)) > 0);
  return async () => {
    client.kill('SIGKILL');
    await once(client, 'exit');
    // The next peer's work shall not share the machine with what this one's client left behind.
    await until('the COPY has ended', async () => (await bytesCopied(stage)) === 0);
  };
}

/** By the server's own count; 0 where no COPY runs. */
async function bytesCopied({ postgres }: Stage): Promise<number> {
  const [row] = await postgres.query(
    'select coalesce(sum(bytes_processed), 0) as bytes from pg_stat_progress_copy',
  );
  return Number(row?.['bytes']);
}

/** pgbench's log: client, transaction, microseconds since it was due, and more. */
function transactionMilliseconds(directory: string): number[] {
  return readdirSync(directory)
    .flatMap((file) => readFileSync(join(directory, file), 'utf8').trim().split('\n'))
    .map((line) => Number(line.split(' ')[2]) / 1000);
}
