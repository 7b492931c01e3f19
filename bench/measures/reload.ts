// What a query of a running session waits while the gate reloads: rules of 10,000 and 100,000 lines, and a revocation list
// of 105,781 and of a million entries, each time with something new in it; and the memory after twenty such lists.

import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import type { Gate } from '../../test/support/run/gate.ts';
import { query, type RawClient } from '../../test/support/peers/raw-client.ts';
import type { Scope } from '../../test/support/run/scope.ts';
import { openSession } from '../clients.ts';
import { HBA, launch } from '../peers/gate.ts';
import type { Stage } from '../stage.ts';
import type { Context, Figure, Measure, Target } from './measure.ts';

const LINES = 10_000;
const MANY_LINES = 100_000;
/** As many as a list of a large public authority has had. */
const ENTRIES = 105_781;
const MANY_ENTRIES = 1_000_000;

const LINE_RELOADS = 5;
const LIST_RELOADS = 20;
const LIST = 'revoked.pem';

const figure = (id: string, title: string, unit: string, limit?: number): Figure => ({
  id,
  title,
  unit,
  better: 'less',
  goals: limit === undefined ? [] : [{ limit }],
});

export const reload: Measure = {
  name: 'reload',
  figures: [
    figure('reload-lines', `longest wait of a query, reload of ${LINES} lines`, 'ms', 50),
    figure('reload-many-lines', `the same, ${MANY_LINES} lines`, 'ms'),
    figure('reload-list', `longest wait of a query, reload of a list of ${ENTRIES} entries`, 'ms', 300),
    figure('reload-list-floor', 'what OpenSSL alone takes to load that list', 'ms'),
    figure('reload-list-memory', `resident after ${LIST_RELOADS} such lists`, 'MB', 200),
    figure(
      'reload-many-entries',
      `longest wait of a query, reload of a list of ${MANY_ENTRIES} entries`,
      'ms',
    ),
    figure('reload-unchanged', `the same, with that list, nothing new`, 'ms'),
  ],
  peers: ['gate', 'variant'],
  warmUp: false,
  // Each round has 35 reloads of its own, of which the longest wait counts, and takes minutes.
  maxRounds: 3,
  run: async (target, context) => ({
    'reload-lines': await waitWithLines(target, context, LINES),
    'reload-many-lines': await waitWithLines(target, context, MANY_LINES),
    ...(await withList(target, context)),
    ...(await withLongList(target, context)),
  }),
};

async function waitWithLines({ peer }: Target, { stage, scope }: Context, count: number): Promise<number> {
  const rules = (round: number): string =>
    Array.from(
      { length: count },
      (_, i) => `host db${i} u${i},r${round} 10.${(i >> 8) & 255}.${i & 255}.0/24 reject\n`,
    ).join('') + HBA;
  const gate = await launch(stage, scope, { folder: peer.folder, hba: rules(0), config: STILL });
  const session = await sessionOf(stage, scope, gate);
  const waits: number[] = [];
  for (let round = 1; round <= LINE_RELOADS; round += 1) {
    writeFileSync(join(gate.directory, 'pg_hba.conf'), rules(round));
    waits.push(await longestWait(session, () => reloads(gate)));
  }
  await endNow(gate);
  return Math.max(...waits);
}

async function withList({ peer }: Target, { stage, scope }: Context): Promise<Record<string, number>> {
  const lists = [listOf(stage, ENTRIES), listOf(stage, ENTRIES)];
  const gate = await launch(stage, scope, {
    folder: peer.folder,
    files: { [LIST]: lists[0]! },
    config: WITH_LIST,
  });
  const session = await sessionOf(stage, scope, gate);
  const waits: number[] = [];
  for (let round = 1; round <= LIST_RELOADS; round += 1) {
    writeFileSync(join(gate.directory, LIST), lists[round % 2]!);
    waits.push(await longestWait(session, () => reloads(gate)));
    // A new client verifies with the list, as OpenSSL sorts it when it first looks into it.
    waits.push(await longestWait(session, async () => (await sessionOf(stage, scope, gate)).destroy()));
  }
  const memory = residentBytes(gate.pid) / 1e6;
  await endNow(gate);
  const began = performance.now();
  createSecureContext({ ca: stage.authority.cert, crl: lists[0]! });
  const floor = performance.now() - began;
  return { 'reload-list': Math.max(...waits), 'reload-list-floor': floor, 'reload-list-memory': memory };
}

async function withLongList({ peer }: Target, { stage, scope }: Context): Promise<Record<string, number>> {
  const lists = [listOf(stage, MANY_ENTRIES), listOf(stage, MANY_ENTRIES)];
  const gate = await launch(stage, scope, {
    folder: peer.folder,
    files: { [LIST]: lists[0]! },
    config: WITH_LIST,
  });
  const session = await sessionOf(stage, scope, gate);
  writeFileSync(join(gate.directory, LIST), lists[1]!);
  const changed = await longestWait(session, () => reloads(gate));
  const unchanged = await longestWait(session, () => reloads(gate));
  await endNow(gate);
  return { 'reload-many-entries': changed, 'reload-unchanged': unchanged };
}

/** Between two queries: a session that works, and leaves the machine to the reload. */
const PAUSE_MS = 2;

/** Nothing is reloaded but when the measure says so. */
const STILL = { reload: { watch: 'off' } };
const WITH_LIST = { ...STILL, ssl_crl_file: LIST };

async function sessionOf(stage: Stage, scope: Scope, gate: Gate): Promise<RawClient> {
  return await openSession(scope, stage, { port: gate.port, tls: true });
}

/** Without a drain: its sessions are this program's own. */
async function endNow(gate: Gate): Promise<void> {
  gate.signal('SIGKILL');
  await gate.exited;
}

async function reloads(gate: Gate): Promise<void> {
  // Not by gate.admin(), which is for tests: a million entries take longer than a test would wait.
  const answer = await fetch(`${gate.adminUrl}/reload`, { method: 'POST' });
  if (answer.status !== 200) throw new Error(`the reload failed: ${await answer.text()}`);
}

/** The longest that one of a row of small queries took, in milliseconds, from before `work` to after its end. */
async function longestWait(session: RawClient, work: () => Promise<void>): Promise<number> {
  const over = new AbortController();
  let failure: unknown;
  const working = work()
    .catch((error: unknown) => (failure = error))
    .finally(() => over.abort());
  let longest = 0;
  while (!over.signal.aborted) {
    const began = performance.now();
    await session.send(query('select 1'));
    await session.readMessagesUntil('Z');
    longest = Math.max(longest, performance.now() - began);
    await delay(PAUSE_MS);
  }
  await working;
  if (failure !== undefined) throw failure;
  return longest;
}

function listOf({ authority }: Stage, count: number): string {
  const revoked = Array.from({ length: count }, () => ({
    serial: BigInt(`0x01${randomBytes(15).toString('hex')}`),
  }));
  return authority.crl({ revoked });
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}
