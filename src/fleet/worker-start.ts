// Where a worker begins: with its signals, before everything else that it loads.

import { holdSignals } from '../signals.ts';

holdSignals();
await import('./worker.ts');
