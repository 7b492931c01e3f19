// Where a worker begins: with its signals, before everything else that it loads.

import { holdSignals } from '../../base/signals.ts';

holdSignals();
await import('./worker.ts');
