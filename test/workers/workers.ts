// What the tests of several workers have in common: which processes they are, and putting others in their place.

import { readFileSync } from 'node:fs';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

/** How long a busy machine may take to start a worker. */
const START_MS = 60_000;

/** The gate's processes but the first. */
export function workersOf(gate: Gate): readonly number[] {
  return gate.processes().filter((pid) => pid !== gate.pid);
}

/** Kills every worker and waits until as many have started in their place. */
export async function replaceEveryWorker(gate: Gate): Promise<void> {
  const from = gate.logLength();
  const killed = workersOf(gate);
  for (const pid of killed) process.kill(pid, 'SIGKILL');
  const started = (): number =>
    gate.log.slice(from).filter(({ msg }) => msg.startsWith('worker started with PID')).length;
  while (started() < killed.length)
    await gate.waitForLog(() => true, { from: gate.logLength(), timeoutMs: START_MS });
}

/** A gate of two workers that admits everybody, with a session in each of them. */
export async function gateWithSessions(
  t: Scope,
  config: Readonly<Record<string, unknown>> = {},
): Promise<{ readonly gate: Gate; readonly clients: readonly RawClient[] }> {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { workers: 2, reload: { watch: 'off' }, ...config },
  });
  const clients: RawClient[] = [];
  const served = new Set<string | undefined>();
  while (served.size < 2) {
    const client = await connectRaw(t, gate.port);
    await client.login({ user: 'u' });
    clients.push(client);
    for (const { id } of await gate.sessions()) served.add(String(id).split('-')[0]);
  }
  return { gate, clients };
}

/** A zombie is dead: only nobody has asked how it ended yet. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
