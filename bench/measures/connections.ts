// New connections: TCP, SSLRequest, a full TLS 1.3 handshake with a client certificate, login, one query, close. Warm is
// what a peer costs that has served 1,500 of them, cold what the first ones after its start cost.

import { pgbench } from '../clients.ts';
import { PEER_NAMES, type RunningPeer } from '../peers/peer.ts';
import type { Stage } from '../stage.ts';
import { costOf, PROXIES, type Cost, type Measure } from './measure.ts';

const CLIENTS = 4;
/** Those that a peer has just been started for. */
const FIRST = 200;

export const connections: Measure = {
  name: 'connections',
  figures: [
    {
      id: 'connection-cpu',
      title: 'new mTLS connection, warm',
      unit: 'CPU ms',
      better: 'less',
      goals: [{ ratioTo: 'best', limit: 1 }],
    },
    { id: 'connection-rate', title: 'new mTLS connections', unit: '1/s', better: 'more', goals: [] },
  ],
  peers: PEER_NAMES,
  warmUp: true,
  run: async (target, { stage, sizes: { connectionCount, connectionSeconds } }) => {
    const amount =
      connectionCount === null
        ? ['-T', String(connectionSeconds)]
        : ['-t', String(Math.ceil(connectionCount / CLIENTS))];
    const { cpuSecondsPerUnit, result } = await connect(target, stage, amount);
    return { 'connection-cpu': cpuSecondsPerUnit * 1e3, 'connection-rate': result };
  },
};

export const firstConnections: Measure = {
  name: 'first-connections',
  figures: [
    {
      id: 'first-connection-cpu',
      title: `new mTLS connection, the first ${FIRST}`,
      unit: 'CPU ms',
      better: 'less',
      goals: [],
    },
  ],
  peers: PROXIES,
  warmUp: false,
  run: async ({ peer }, { stage, scope }) => {
    const fresh = await peer.start(stage, scope);
    const { cpuSecondsPerUnit } = await connect(fresh, stage, ['-t', String(FIRST / CLIENTS)]);
    return { 'first-connection-cpu': cpuSecondsPerUnit * 1e3 };
  },
};

/** Connects as often, or as long, as pgbench is told; what one connection cost, and how many there were a second. */
async function connect(peer: RunningPeer, stage: Stage, amount: readonly string[]): Promise<Cost<number>> {
  return await costOf(peer, async (endpoint) => {
    const { transactions, tps } = await pgbench(stage, endpoint, [
      '-C',
      '-S',
      '-c',
      String(CLIENTS),
      ...amount,
    ]);
    return { units: transactions, result: tps };
  });
}
