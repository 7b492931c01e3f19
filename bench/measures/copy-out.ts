// COPY out of the database, as backups, replicas and reports do it.

import { psql } from '../clients.ts';
import { PEER_NAMES } from '../peers/peer.ts';
import { bulkQuery } from '../stage.ts';
import { costOf, type Measure } from './measure.ts';

export const copyOut: Measure = {
  name: 'copy-out',
  figures: [
    {
      id: 'copy-out-cpu',
      title: 'COPY out',
      unit: 'CPU s/GB',
      better: 'less',
      goals: [{ ratioTo: 'best', limit: 0.9 }],
    },
    {
      id: 'copy-out-speed',
      title: 'COPY out',
      unit: 'MB/s',
      better: 'more',
      goals: [{ ratioTo: 'postgres-tls', limit: 0.95 }],
    },
  ],
  peers: PEER_NAMES,
  warmUp: true,
  run: async (target, { stage, sizes: { copyMegabytes } }) => {
    const command = String.raw`\copy (${bulkQuery(copyMegabytes)}) to '/dev/null'`;
    const { cpuSecondsPerUnit, result } = await costOf(target, async (endpoint) => ({
      units: copyMegabytes / 1000,
      result: await psql(stage, endpoint, command),
    }));
    return { 'copy-out-cpu': cpuSecondsPerUnit, 'copy-out-speed': copyMegabytes / result.seconds };
  },
};
