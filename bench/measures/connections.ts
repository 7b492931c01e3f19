// New connections: TCP, SSLRequest, a full TLS 1.3 handshake with a client certificate, login, one query, close.

import { pgbench } from '../clients.ts';
import { PEER_NAMES } from '../peers/peer.ts';
import { costOf, type Measure } from './measure.ts';

const CLIENTS = 4;

export const connections: Measure = {
  name: 'connections',
  figures: [
    {
      id: 'connection-cpu',
      title: 'new mTLS connection',
      unit: 'CPU ms',
      better: 'less',
      goals: [{ ratioTo: 'best', limit: 0.9 }],
    },
    { id: 'connection-rate', title: 'new mTLS connections', unit: '1/s', better: 'more', goals: [] },
  ],
  peers: PEER_NAMES,
  warmUp: true,
  run: async (target, { stage, sizes: { connectionSeconds } }) => {
    const args = ['-C', '-S', '-c', String(CLIENTS), '-T', String(connectionSeconds)];
    const { cpuSecondsPerUnit, result } = await costOf(target, async (endpoint) => {
      const done = await pgbench(stage, endpoint, args);
      return { units: done.transactions, result: done };
    });
    return { 'connection-cpu': cpuSecondsPerUnit * 1e3, 'connection-rate': result.tps };
  },
};
