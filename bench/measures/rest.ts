// A peer with nothing to do, in a fresh process: what its start has cost, what it holds in memory after one session, how
// often it wakes, and what of a core that takes.

import { setTimeout as delay } from 'node:timers/promises';
import { openSession } from '../clients.ts';
import { cpuSeconds, residentBytes, wakeUps, runSeconds } from '../process-tree.ts';
import { PROXIES, type Measure } from './measure.ts';

export const rest: Measure = {
  name: 'rest',
  figures: [
    { id: 'start-cpu', title: 'start to ready', unit: 'CPU s', better: 'less', goals: [{ limit: 0.35 }] },
    { id: 'rest-memory', title: 'at rest, resident', unit: 'MB', better: 'less', goals: [{ limit: 64 }] },
    { id: 'rest-wake-ups', title: 'at rest, wakes', unit: '1/s', better: 'less', goals: [{ limit: 15 }] },
    { id: 'rest-cpu', title: 'at rest', unit: '% of a core', better: 'less', goals: [{ limit: 0.1 }] },
  ],
  peers: PROXIES,
  warmUp: false,
  run: async ({ peer }, { stage, scope, sizes: { restSeconds, settleSeconds } }) => {
    const { endpoint, pid } = await peer.start(stage, scope);
    const start = cpuSeconds(pid);
    (await openSession(scope, stage, endpoint)).destroy();
    await delay(settleSeconds * 1000);
    const before = { at: performance.now(), wakeUps: wakeUps(pid), run: runSeconds(pid) };
    await delay(restSeconds * 1000);
    const seconds = (performance.now() - before.at) / 1000;
    return {
      'start-cpu': start,
      'rest-memory': residentBytes(pid) / 1e6,
      'rest-wake-ups': (wakeUps(pid) - before.wakeUps) / seconds,
      'rest-cpu': ((runSeconds(pid) - before.run) / seconds) * 100,
    };
  },
};
