// Two workers against one: how many new connections a second. It takes cores that neither the clients nor PostgreSQL
// need, and is left out where there are none.

import { availableParallelism } from 'node:os';
import { pgbench } from '../clients.ts';
import { startGateWith } from '../peers/gate.ts';
import type { Context, Measure } from './measure.ts';

const CLIENTS = 16;
const CLIENT_THREADS = 3;
/** Two workers, the clients' threads (a handshake costs a client as much as the gate), two for PostgreSQL. */
const CORES_NEEDED = 2 + CLIENT_THREADS + 2;

export const workers: Measure = {
  name: 'workers',
  figures: [
    {
      id: 'workers-two',
      title: 'new mTLS connections, two workers',
      unit: 'times one',
      better: 'more',
      goals: [{ limit: 1.8 }],
    },
  ],
  peers: ['gate'],
  warmUp: false,
  leftOut: () => {
    const cores = availableParallelism();
    if (cores >= CORES_NEEDED) return null;
    return `needs ${CORES_NEEDED} cores, so that two workers have one each; here are ${cores}`;
  },
  run: async (_, context) => {
    const one = await connectionRate(context, 1);
    const two = await connectionRate(context, 2);
    return { 'workers-two': two / one };
  },
};

async function connectionRate({ stage, scope, sizes }: Context, count: number): Promise<number> {
  const { endpoint } = await startGateWith(stage, scope, { workers: count });
  const args = ['-C', '-S', '-c', String(CLIENTS), '-j', String(CLIENT_THREADS)];
  const { tps } = await pgbench(stage, endpoint, [...args, '-T', String(sizes.connectionSeconds)]);
  return tps;
}
