// Every peer, in the order of the table's columns.

import { bareNode } from './bare-node.ts';
import { gate } from './gate.ts';
import type { Peer } from './peer.ts';
import { pgbouncer } from './pgbouncer.ts';
import { postgresTls } from './postgres-tls.ts';
import { stunnel } from './stunnel.ts';

export const PEERS: readonly Peer[] = [gate, stunnel, pgbouncer, postgresTls, bareNode];
