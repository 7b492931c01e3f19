// Small queries: a prepared SELECT of one row, eight sessions, each as fast as it is answered.

import { pgbench } from '../clients.ts';
import { PEER_NAMES } from '../peers/peer.ts';
import { costOf, type Measure } from './measure.ts';

const SESSIONS = 8;

export const queries: Measure = {
  name: 'queries',
  figures: [
    {
      id: 'query-cpu',
      title: 'small query',
      unit: 'CPU µs',
      better: 'less',
      goals: [
        { ratioTo: 'stunnel', limit: 0.9 },
        { ratioTo: 'pgbouncer', limit: 1.2 },
      ],
    },
    { id: 'query-rate', title: 'small queries', unit: '1/s', better: 'more', goals: [] },
  ],
  peers: PEER_NAMES,
  warmUp: true,
  run: async (target, { stage, sizes: { querySeconds } }) => {
    const args = ['-S', '-M', 'prepared', '-c', String(SESSIONS), '-T', String(querySeconds)];
    const { cpuSecondsPerUnit, result } = await costOf(target, async (endpoint) => {
      const done = await pgbench(stage, endpoint, args);
      return { units: done.transactions, result: done };
    });
    return { 'query-cpu': cpuSecondsPerUnit * 1e6, 'query-rate': result.tps };
  },
};
