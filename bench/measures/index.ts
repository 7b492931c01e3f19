// Every measure, in the order of the table's rows.

import { connections, firstConnections } from './connections.ts';
import { copyIn } from './copy-in.ts';
import { copyOut } from './copy-out.ts';
import { idle } from './idle.ts';
import { latency, latencyWithWorkers } from './latency.ts';
import { logins } from './logins.ts';
import type { Measure } from './measure.ts';
import { queries } from './queries.ts';
import { reload } from './reload.ts';
import { rest } from './rest.ts';
import { stalled } from './stalled.ts';
import { value } from './value.ts';
import { workers } from './workers.ts';

export const MEASURES: readonly Measure[] = [
  copyOut,
  copyIn,
  value,
  queries,
  connections,
  firstConnections,
  logins,
  latency,
  latencyWithWorkers,
  idle,
  rest,
  stalled,
  reload,
  workers,
];
