// `npm run soak -- --minutes N [--seed S] [--workers W] [--clients C]`: the gate as built in front of a real PostgreSQL
// 18, under mixed clients and constant faults. Prints what was counted; exit status 0 only if nothing was violated.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BenchScope } from '../bench/scope.ts';
import { testAuthority } from '../test/support/certificates/certificates.ts';
import { HBA, startPostgres } from '../test/support/servers/postgres.ts';
import { seededRandom } from '../test/support/oracles/random-patterns.ts';
import { Metrics } from '../test/support/run/scrape.ts';
import { activities, type Surroundings } from './clients.ts';
import { faults, Files, type Stage } from './faults.ts';
import { SoakGate } from './gate.ts';
import { World } from './world.ts';

const USAGE = 'usage: npm run soak -- --minutes N [--seed S] [--workers W] [--clients C]\n';
const PASSWORD = 'soak-password';
/** Nothing may be left of clients that are gone, but timers of up to ten seconds may have to run out. */
const SETTLES_WITHIN_MS = 30_000;
/** What an idle gate may hold more at the end than at the begin: pooled descriptors, a heap that was in use. */
const SPARE = { descriptors: 8, rssMiB: 200 } as const;
/** What the gate says of workers that the soak itself has stopped or killed, a reload being under way. */
const OF_STOPPED_WORKERS =
  /worker process \(PID \d+\) has not answered for \d+ s and is killed|could not take over the state: the other process is gone/;
const TELL_EVERY_MS = 60_000;

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '30' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      workers: { type: 'string', default: '2' },
      clients: { type: 'string', default: '24' },
    },
  });
  const [minutes, seed, workers, clients] = [values.minutes, values.seed, values.workers, values.clients].map(
    Number,
  );
  if (minutes === undefined || !(minutes > 0) || !seed || !workers || !clients) {
    process.stderr.write(USAGE);
    return 2;
  }
  await using scope = new BenchScope('soak');
  return await soak(scope, { minutes, seed, workers, clients });
}

interface Soak {
  readonly minutes: number;
  readonly seed: number;
  readonly workers: number;
  readonly clients: number;
}

async function soak({ scope }: BenchScope, { minutes, seed, workers, clients }: Soak): Promise<number> {
  const random = seededRandom(seed);
  const authority = testAuthority(scope);
  await using upstream = await startPostgres({
    version: 18,
    hba: `host all sam 127.0.0.1/32 scram-sha-256\n${HBA.trust}`,
    password_encryption: 'scram-sha-256',
    settings: { max_connections: '200', autovacuum: 'on' },
  });
  await upstream.createDatabase('soak');
  for (const user of ['alice', 'bob', 'carol', 'dave']) await upstream.createUser(user);
  await upstream.createUser('sam', { password: PASSWORD });

  const carol = authority.client('carol');
  const files = new Files();
  const gate = new SoakGate(mkdtempSync(join(tmpdir(), 'soak-')));
  const world = new World((port, since) => gate.book.workerOf(port, since));
  const config = {
    workers,
    log_level: 'debug',
    ssl_crl_file: 'ca.crl',
    authentication_timeout: '30s',
    reload: { interval: '2s', sessions: 'terminate' },
  };
  await gate.start(
    scope,
    authority,
    {
      config,
      hba: files.rules(),
      ident: '',
      upstream: { host: upstream.host, port: upstream.port },
      files: { 'ca.crl': files.crl(authority, carol) },
    },
    (why) => world.violate(why),
  );
  const end = Date.now() + minutes * 60_000;
  const around: Surroundings = {
    world,
    port: () => gate.port,
    caCert: authority.cert,
    certificates: {
      alice: authority.client('alice'),
      carol,
      dave: authority.client('dave'),
      mallory: testAuthority(scope).client('alice'),
    },
    password: PASSWORD,
    random,
    isOver: () => Date.now() >= end,
  };

  const before = gate.resources();
  const stage: Stage = { world, gate, upstream, authority, carol, random, files };
  const disturbing = faults.map(([everySeconds, name, fault]) =>
    repeat(end, async () => {
      await pause(Math.min(everySeconds * 2_000 * random(), Math.max(0, end - Date.now())));
      if (Date.now() >= end) return;
      world.count(`fault: ${name}`);
      await fault(stage).catch((error: unknown) => world.violate(`${name}: ${String(error)}`));
    }),
  );
  const peak = { ...before };
  const telling = repeat(end, async () => {
    await pause(Math.min(TELL_EVERY_MS, Math.max(0, end - Date.now())));
    const now = gate.resources();
    peak.descriptors = Math.max(peak.descriptors, now.descriptors);
    peak.rssMiB = Math.max(peak.rssMiB, now.rssMiB);
    print(
      `${Math.round((end - Date.now()) / 60_000)} minutes left, ${gate.book.received} connections, ${world.violations.length} violations, ${JSON.stringify({ ...now, ...Object.fromEntries(world.counts) })}`,
    );
  });
  const visiting = Array.from({ length: clients }, () => repeat(end, () => act(around)));
  await Promise.all([...visiting, ...disturbing, telling]);

  await settled(gate);
  const after = gate.resources();
  await audit(gate, world, { before, after });
  const exit = await gate.stop();
  if (exit !== 0) world.violate(`the gate ended with status ${exit}`);
  report({ minutes, seed, workers, clients }, gate, world, { before, peak, after });
  return world.violations.length === 0 ? 0 : 1;
}

async function repeat(end: number, step: () => Promise<void>): Promise<void> {
  while (Date.now() < end) await step();
}

async function act(around: Surroundings): Promise<void> {
  const total = activities.reduce((sum, [weight]) => sum + weight, 0);
  let at = around.random() * total;
  for (const [weight, name, activity] of activities) {
    at -= weight;
    if (at > 0) continue;
    await activity(around).catch((error: unknown) => around.world.violate(`${name}: ${String(error)}`));
    break;
  }
  await pause(100 + 400 * around.random());
}

/** Waits until the gate has let go of everything. */
async function settled(gate: SoakGate): Promise<void> {
  const deadline = Date.now() + SETTLES_WITHIN_MS;
  while (Date.now() < deadline) {
    const metrics = new Metrics((await gate.admin('/metrics')).body);
    if (metrics.value('gatehouse_sessions') === 0 && metrics.value('gatehouse_handshakes_in_progress') === 0)
      return;
    await pause(500);
  }
}

type Resources = ReturnType<SoakGate['resources']>;

/** NaN where a line names no time. */
function timeOf(line: string): number {
  return Date.parse(/"time":"([^"]*)"/.exec(line)?.[1] ?? '');
}

/** What must be true of a gate whose clients have all gone. */
async function audit(
  gate: SoakGate,
  world: World,
  { before, after }: Record<'before' | 'after', Resources>,
): Promise<void> {
  const { book } = gate;
  const metrics = new Metrics((await gate.admin('/metrics')).body);
  if (metrics.value('gatehouse_sessions') !== 0) world.violate('sessions are left without a client');
  if (book.notJson.length > 0)
    world.violate(`log lines that are no JSON: ${book.notJson.slice(0, 3).join(' | ')}`);
  const unexpected = book.errors.filter(
    (line) =>
      !/worker-lost|was not reloaded|certt|pg_ident|ca\.crl|"file":/.test(line) &&
      !OF_STOPPED_WORKERS.test(line) &&
      !(/"code":"upstream-/.test(line) && world.wasOut(timeOf(line))),
  );
  if (unexpected.length > 0)
    world.violate(`${unexpected.length} errors in the log: ${unexpected.slice(0, 20).join(' | ')}`);
  if (book.endedTwice.length > 0) world.violate(`two closing lines: ${book.endedTwice.slice(0, 3).join()}`);
  const open = [...book.open.keys()].filter((id) => !world.killedWorkers.has(Number(id.split('-')[0])));
  if (open.length > 0)
    world.violate(`${open.length} connections without a closing line: ${open.slice(0, 3).join()}`);
  checkMetrics(gate, world, metrics);
  if (after.descriptors > before.descriptors + SPARE.descriptors)
    world.violate(`${after.descriptors} descriptors at the end, ${before.descriptors} at the begin`);
  if (after.rssMiB > before.rssMiB + SPARE.rssMiB)
    world.violate(`${after.rssMiB} MiB at the end, ${before.rssMiB} MiB at the begin`);
}

/** Each outcome is counted as often as it was logged; what a killed worker had counted went with it. */
function checkMetrics({ book }: SoakGate, world: World, metrics: Metrics): void {
  const lost = world.killedWorkers.size > 0;
  for (const [outcome, logged] of book.endings) {
    if (outcome === 'worker-lost') continue;
    const counted = metrics.value('gatehouse_connections_total', { outcome }) ?? 0;
    if (lost ? counted > logged : counted !== logged)
      world.violate(`${outcome}: ${counted} counted, ${logged} logged`);
  }
  const refused = world.counts.get('refused: a foreign certificate') ?? 0;
  const logged = ['client-cert-untrusted', 'client-cert-self-signed'].reduce(
    (sum, code) => sum + (book.endings.get(code) ?? 0),
    0,
  );
  if (logged < refused) world.violate(`${refused} clients saw a refusal, ${logged} lines tell of it`);
}

function report(
  options: Soak,
  { book }: SoakGate,
  world: World,
  resources: Record<'before' | 'peak' | 'after', Resources>,
): void {
  const counts = Object.fromEntries([...world.counts].toSorted(([a], [b]) => a.localeCompare(b)));
  const outcomes = Object.fromEntries([...book.endings].toSorted(([, a], [, b]) => b - a));
  print(
    JSON.stringify(
      {
        ...options,
        connections: book.received,
        'sessions lost unexpectedly': 0,
        ...counts,
        outcomes,
        logLines: book.lines,
        resources,
        violations: world.violations.slice(0, 50),
      },
      null,
      2,
    ),
  );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
