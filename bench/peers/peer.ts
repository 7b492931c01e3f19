// What is compared: the gate, two programs that do the same in C, and two bounds: PostgreSQL's own TLS and bare Node.

import type { Scope } from '../../test/support/run/scope.ts';
import type { Endpoint, Stage } from '../stage.ts';

/** In the order of the table's columns. `variant` is a second gate with other Node options, where one is asked for. */
export const PEER_NAMES = ['gate', 'variant', 'stunnel', 'pgbouncer', 'postgres-tls', 'bare-node'] as const;

export type PeerName = (typeof PEER_NAMES)[number];

/** Those the gate's CPU and memory are measured against. */
export const RIVALS = ['stunnel', 'pgbouncer'] as const satisfies readonly PeerName[];

/** A program that can be started. */
export interface Peer {
  readonly name: PeerName;
  /** How it is to be had where it is missing. */
  readonly install: string;
  /** Its version, and its TLS library's; null where it is not installed. */
  readonly version: () => string | null;
  /** Starts one of its own; it ends with the scope. */
  readonly start: (stage: Stage, scope: Scope) => Promise<RunningPeer>;
  /** Where a gate is built that is not this tree's. */
  readonly folder?: string;
}

/** A program that takes connections. */
export interface RunningPeer {
  readonly name: PeerName;
  readonly endpoint: Endpoint;
  /** The root of its process tree. */
  readonly pid: number;
  /**
   * Where the same work is done without TLS by the same processes: that cost is subtracted, since a server's own TLS
   * costs what it adds to the server. null for proxies, whose whole cost counts.
   */
  readonly baseline: Endpoint | null;
}
