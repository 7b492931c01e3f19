// COPY into the database. The server parses every row and keeps none, so that its disk plays no part.

import { psql } from '../clients.ts';
import { PEER_NAMES } from '../peers/peer.ts';
import { costOf, type Measure } from './measure.ts';

export const copyIn: Measure = {
  name: 'copy-in',
  figures: [
    {
      id: 'copy-in-cpu',
      title: 'COPY in',
      unit: 'CPU s/GB',
      better: 'less',
      goals: [{ ratioTo: 'best', limit: 0.9 }],
    },
    { id: 'copy-in-speed', title: 'COPY in', unit: 'MB/s', better: 'more', goals: [] },
  ],
  peers: PEER_NAMES,
  warmUp: true,
  run: async (target, { stage, sizes: { copyMegabytes } }) => {
    const { path } = await stage.copyFile(copyMegabytes);
    const command = String.raw`\copy sink from '${path}' where false`;
    const { cpuSecondsPerUnit, result } = await costOf(target, async (endpoint) => ({
      units: copyMegabytes / 1000,
      result: await psql(stage, endpoint, command),
    }));
    return { 'copy-in-cpu': cpuSecondsPerUnit, 'copy-in-speed': copyMegabytes / result.seconds };
  },
};
