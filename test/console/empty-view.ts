// What a console sees of a gate at which there is nothing: no session, no setting, no row.

import type { ConsoleView } from '../../src/console/console-view.ts';

const nothing = (): Promise<never[]> => Promise.resolve([]);

export const emptyView: ConsoleView = {
  version: '0',
  sessions: nothing,
  settings: nothing,
  rows: nothing,
  ruleCount: () => Promise.resolve(0),
  draining: () => Promise.resolve(false),
  reload: () => Promise.resolve(null),
  terminate: () => Promise.resolve(false),
  cancel: () => Promise.resolve(false),
  drain: () => Promise.resolve(),
};
