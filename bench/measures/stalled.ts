// What a client holds that asks for much and stops reading: the memory of a fresh process tree before and after.

import { query } from '../../test/support/peers/raw-client.ts';
import { openSessions } from '../clients.ts';
import { bulkQuery } from '../stage.ts';
import { PROXIES, settledMemoryBytes, until, type Measure } from './measure.ts';

const CLIENTS = 16;
/** Far more than all buffers on the way together. */
const MEGABYTES = 1000;
const WAITING = `select count(*) as waiting from pg_stat_activity where wait_event = 'ClientWrite'`;

export const stalled: Measure = {
  name: 'stalled',
  figures: [
    {
      id: 'stalled-memory',
      title: 'client that stops reading',
      unit: 'kB',
      better: 'less',
      goals: [{ limit: 1048.576 }],
    },
  ],
  peers: PROXIES,
  warmUp: false,
  run: async ({ peer }, { stage, scope }) => {
    const { endpoint, pid } = await peer.start(stage, scope);
    const sessions = await openSessions(scope, stage, endpoint, CLIENTS);
    const before = await settledMemoryBytes(pid);
    for (const session of sessions) {
      session.pause();
      await session.send(query(`copy (${bulkQuery(MEGABYTES)}) to stdout`));
    }
    await until('every server waits for its client', async () => {
      const [row] = await stage.postgres.query(WAITING);
      return Number(row?.['waiting']) === CLIENTS;
    });
    const after = await settledMemoryBytes(pid);
    return { 'stalled-memory': (after - before) / CLIENTS / 1000 };
  },
};
