// One large value: a single message that no buffer on the way holds whole.

import { psql } from '../clients.ts';
import { PEER_NAMES } from '../peers/peer.ts';
import type { Measure } from './measure.ts';

export const value: Measure = {
  name: 'value',
  figures: [
    {
      id: 'value-speed',
      title: 'one 200 MB value',
      unit: 'MB/s',
      better: 'more',
      goals: [{ ratioTo: 'best', limit: 1 }],
    },
  ],
  peers: PEER_NAMES,
  warmUp: true,
  run: async (target, { stage, sizes: { valueMegabytes } }) => {
    const command = `select repeat('x', ${valueMegabytes * 1_000_000})`;
    const { seconds } = await psql(stage, target.endpoint, command);
    return { 'value-speed': valueMegabytes / seconds };
  },
};
