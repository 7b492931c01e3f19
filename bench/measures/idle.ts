// What an idle session holds: the memory of the process tree before and after many of them, in a fresh process.

import { openSessions } from '../clients.ts';
import { PROXIES, settledMemoryBytes, type Measure } from './measure.ts';

/** Opened first and kept: what they make the process load is not the next session's. */
const FIRST = 100;
const MORE = 400;

export const idle: Measure = {
  name: 'idle',
  figures: [
    {
      id: 'idle-memory',
      title: 'idle mTLS session',
      unit: 'kB',
      better: 'less',
      goals: [{ limit: 45 }],
    },
  ],
  peers: PROXIES,
  warmUp: false,
  run: async ({ peer }, { stage, scope }) => {
    const { endpoint, pid } = await peer.start(stage, scope);
    await openSessions(scope, stage, endpoint, FIRST);
    const before = await settledMemoryBytes(pid);
    await openSessions(scope, stage, endpoint, MORE);
    const after = await settledMemoryBytes(pid);
    return { 'idle-memory': (after - before) / MORE / 1000 };
  },
};
