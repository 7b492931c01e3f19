// A worker: one serving process under the orders of the first process. It ends when the first process does.

import { setImmediate } from 'node:timers/promises';
import { VERSION } from '../../base/version.ts';
import type { ConsoleView } from '../../console/console-view.ts';
import { ReceivedState, type SentState } from '../../config/handover.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { ServingProcess } from '../serving-process.ts';
import type { ListenAddress } from '../listen.ts';
import { createLogger, logNodeWarnings, setLogFormat, type Logger } from '../../telemetry/log.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { Debts } from '../../session/debts.ts';
import { evicted } from '../../session/handshakes.ts';
import { IdentityMemory } from '../../session/identity-memory.ts';
import type { RefusalRow } from '../../telemetry/refusals.ts';
import type { Bans } from '../../session/bans.ts';
import type { Turn } from '../../session/guesses.ts';
import type { Exhausted, Quota, SessionLimits } from '../../session/quota.ts';
import { followSignals, type Received } from '../../base/signals.ts';
import type { KeyUse } from '../../session/sessions.ts';
import type { PrimaryMethods, WorkerMethods } from './methods.ts';
import { RefusalsToTell } from './refusals-to-tell.ts';
import { Remote } from './rpc.ts';
import { WorkerCatalog } from './worker-catalog.ts';

process.on('disconnect', () => process.exit(1));

const metrics = createMetrics();
const state = new ReceivedState();
let gate: ServingProcess | null = null;
/** There before the gate is: what addresses owe already is told before the start. */
const debts = new Debts();
/** Takes the states over one after another, in the order in which they were sent. */
let taking: Promise<void> = Promise.resolve();

/** How long a call to the first process may take, in milliseconds. */
const ANSWER_MS = 10_000;

/** How long a reload may take, which every worker has to take over. */
const RELOAD_MS = 60_000;

/** How long the catalogue may take: the wait for its turn, a dial, and the question itself. */
const CATALOG_MS = 30_000;

const methods: WorkerMethods = {
  start: async (sent, addresses) => await inTurn(async () => await start(sent, addresses)),
  adopt: async (sent) =>
    await inTurn(async () => {
      await state.take(sent);
      catalog.adopted();
      await running().adopt();
    }),
  ping: () => {},
  sessions: async () => await running().sessions(),
  fullSessions: async () => await running().fullSessions(),
  cancel: async (id) => await running().cancel(id),
  tellRefusals: async () => await refusals.told(),
  terminate: async (id) => await running().terminate(id),
  terminateAll: async (which) => await running().terminateAll(which),
  trySessions: async (sent) => {
    let current: Snapshot | null = null;
    // In turn, because what is not sent again is that of the state before it.
    await inTurn(async () => void (current = await state.look(sent)));
    if (current === null) throw new Error('no state was made');
    return await running().trySessions({ current });
  },
  metrics: async () => await metrics.json(),
  ruleHits: async () => await running().ruleHits(),
  useKey: (pid, key) => gate?.live.useKey(pid, Buffer.from(key)) ?? null,
  unknownKey: (address) => gate?.cancelGuesses.unknown(address),
  identityRefused: (upstream) => identityMemory.refused(upstream),
  handshakes: async (crowded) => {
    // What the kernel holds of their bytes is read first.
    await setImmediate();
    const handshakes = gate?.strangers.handshakes;
    return { count: handshakes?.size ?? 0, first: handshakes?.candidate(crowded) ?? null };
  },
  evictHandshake: (crowded) => void gate?.strangers.handshakes.evict(evicted(), crowded),
  charged: (address, ms) => debts.charge(address, ms),
  owed: (owed) => debts.take(owed),
  drain: () =>
    void running()
      .drain()
      .then(() => primary.tell('drained')),
  finish: async () => {
    await gate?.finish();
    // After the answer to this very call has been sent.
    void setImmediate().then(() => process.disconnect?.());
  },
};

const primary = new Remote<PrimaryMethods>(process, methods, {
  reload: RELOAD_MS,
  memberships: CATALOG_MS,
  secretOf: CATALOG_MS,
  otherwise: ANSWER_MS,
});

const catalog = new WorkerCatalog(primary);

/** There before the gate is: what the other workers have found out is told before the start. */
const identityMemory = new IdentityMemory((upstream) => primary.tell('identityRefused', upstream));

const refusals = new RefusalsToTell(async (rows) => await primary.call('refused', rows));

/** What a console of this worker sees: the whole gate, which the first process knows. */
const view: ConsoleView = {
  version: VERSION,
  sessions: async () => await primary.call('sessions'),
  settings: async () => await primary.call('settings'),
  rows: async (table) => await primary.call('rows', table),
  ruleCount: async () => await primary.call('ruleCount'),
  draining: async () => await primary.call('draining'),
  reload: async () => await primary.call('reload'),
  terminate: async (id) => await primary.call('terminate', id),
  cancel: async (id) => await primary.call('cancel', id),
  drain: async () => await primary.call('drain'),
};

async function start(sent: SentState, addresses: readonly ListenAddress[]): Promise<void> {
  await state.take(sent);
  const { settings } = state.current;
  setLogFormat(settings.log_format);
  const log = createLogger(settings.log_level);
  logNodeWarnings(log);
  followSignals((received) => logIgnored(log, received));
  const started = new ServingProcess({
    config: state,
    log,
    metrics,
    catalog,
    shared: {
      quota,
      bans,
      useKey,
      onUnknownKey,
      identityMemory,
      nextConsolePid,
      onRefused,
      onHandshakes,
      debts,
      onCharge,
    },
    view: () => view,
  });
  metrics.bindGauges({
    sessions: () => started.live.size,
    handshakesInProgress: () => started.strangers.handshakes.size,
    upstreamUp: () => null,
    bannedAddresses: () => 0,
    sessionsNoLongerAdmitted: () => started.noLongerAdmitted,
  });
  await started.listen({ settings, log, addresses });
  gate = started;
  // Of those who came while it was opening its sockets.
  onHandshakes();
}

async function inTurn(take: () => Promise<void>): Promise<void> {
  const taken = taking.then(take);
  taking = taken.catch(() => undefined);
  await taken;
}

const quota: Quota = {
  check: async (address, limits) =>
    isLimited(limits) ? await primary.call('check', address, onlyLimits(limits)) : null,
  take: async (address, limits) => {
    if (!isLimited(limits)) {
      primary.tell('add', address);
      return null;
    }
    // A place that is given too late is nobody's. Without this it would stay taken for as long as this worker lives.
    const giveBack = (exhausted: Exhausted | null): void => {
      if (exhausted === null) primary.tell('release', address);
    };
    return await primary.callOrGiveBack(giveBack, 'take', address, onlyLimits(limits));
  },
  release: (address) => primary.tell('release', address),
};

const bans: Bans = {
  refuses: async (address) => await primary.call('refusesAddress', address),
  guess: async (address, limits) => {
    // As for a place: the turn may still be waited for there, so it is given back when it has come and not before.
    const giveBack = (turn: Turn): void => {
      if (turn === 'go') primary.tell('guessEnded', address);
    };
    return await primary.callOrGiveBack(giveBack, 'guess', address, limits);
  },
  ended: (address) => primary.tell('guessEnded', address),
  failed: async (address, limits) => await primary.call('authenticationFailed', address, limits),
  succeeded: async (address) => await primary.call('authenticationSucceeded', address),
};

async function useKey(pid: number, key: Buffer): Promise<KeyUse | null> {
  const found = await primary.call('useKey', pid, key);
  // The channel of `fork` makes plain byte arrays of buffers.
  if (found?.target) return { target: { ...found.target, key: Buffer.from(found.target.key) } };
  return found;
}

function onUnknownKey(address: string): void {
  primary.tell('unknownKey', address);
}

async function nextConsolePid(): Promise<number> {
  return await primary.call('nextConsolePid');
}

function onRefused(row: RefusalRow): void {
  refusals.add(row);
}

function onCharge(address: string, ms: number): void {
  primary.tell('charge', address, ms);
}

let handshakesTold = true;

/** Sends at most one message in a turn of the event loop, even when many connections come and go in it. */
function onHandshakes(): void {
  if (!handshakesTold) return;
  handshakesTold = false;
  void tellHandshakes();
}

async function tellHandshakes(): Promise<void> {
  await setImmediate();
  handshakesTold = true;
  if (gate === null) return;
  const { handshakes } = gate.strangers;
  primary.tell('handshakes', handshakes.size, handshakes.takeChanges());
}

function isLimited(limits: SessionLimits): boolean {
  return limits.max_connections > 0 || limits.max_connections_per_address > 0;
}

/** Picks the limits out of the settings: the settings hold functions, which cannot be sent. */
function onlyLimits({ max_connections, max_connections_per_address }: SessionLimits): SessionLimits {
  return { max_connections, max_connections_per_address };
}

/** Leaves signals to the first process: a terminal sends each signal to every process. */
function logIgnored(log: Logger, { signal, meaning }: Received): void {
  if (meaning === 'nothing') log.info(`received ${signal}: ignored`);
}

function running(): ServingProcess {
  if (gate === null) throw new Error('the worker has not started');
  return gate;
}
