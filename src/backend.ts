// Who serves the clients: this process itself, or several workers. server.ts and the admin listener do not know which.

import type { SessionRow } from './admin/gate-view.ts';
import type { ReloadResult } from './config/snapshot.ts';
import type { ListenAddress } from './listen.ts';
import type { MetricsJson, RuleHits } from './metrics.ts';

export interface Backend {
  /** Where clients connect. */
  readonly addresses: readonly ListenAddress[];
  sessions(): Promise<readonly SessionRow[]>;
  /** False = there is no such session (any more). */
  terminate(id: string): Promise<boolean>;
  /** Of every process that serves but this one. */
  otherMetrics(): Promise<readonly MetricsJson[]>;
  ruleHits(): Promise<readonly RuleHits[]>;
  /** Reads the configuration again; every connection that comes after it resolves sees the new state. */
  reload(): Promise<ReloadResult>;
  /** From here on new clients are told 57P03. Resolves when no session is left. */
  drain(): Promise<void>;
  /** Ends what is left: sessions are told 57P01. Resolves when every connection is closed. */
  finish(): Promise<void>;
}
