// A worker's entry. It holds its signals before it loads anything else, so that a signal during the load cannot end it.

import { holdSignals } from '../../base/signals.ts';

holdSignals();
await import('./worker.ts');
