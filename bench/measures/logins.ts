// New connections whose password the proxy itself checks: as `connections`, with SCRAM-SHA-256 beside the certificate. The gate
// and PgBouncer have the same auth_file; the server behind them trusts.

import type { Scope } from '../../test/support/run/scope.ts';
import { pgbench } from '../clients.ts';
import { startBareNode } from '../peers/bare-node.ts';
import { launch } from '../peers/gate.ts';
import type { RunningPeer } from '../peers/peer.ts';
import { startPgbouncer } from '../peers/pgbouncer.ts';
import { USER, type Stage } from '../stage.ts';
import { costOf, type Measure, type Target } from './measure.ts';

const CLIENTS = 4;
const PASSWORD = 'a password of the bench';

export const logins: Measure = {
  name: 'logins',
  figures: [
    {
      id: 'login-cpu',
      title: 'new connection with SCRAM',
      unit: 'CPU ms',
      better: 'less',
      goals: [{ ratioTo: 'pgbouncer', limit: 1 }],
    },
    { id: 'login-rate', title: 'new connections with SCRAM', unit: '1/s', better: 'more', goals: [] },
  ],
  // No second gate: an edition before 0.2.0 has no auth_file.
  peers: ['gate', 'pgbouncer', 'bare-node'],
  warmUp: false,
  run: async (target, { stage, sizes: { connectionSeconds, connectionsBefore }, scope }) => {
    const started = await start(target, stage, scope);
    const args = ['-C', '-S', '-c', String(CLIENTS)];
    // The process is a fresh one. It serves as many connections first as every other peer has served.
    await pgbench(
      stage,
      started.endpoint,
      [...args, '-t', String(Math.ceil(connectionsBefore / CLIENTS))],
      PASSWORD,
    );
    const { cpuSecondsPerUnit, result } = await costOf({ ...target, ...started }, async (endpoint) => {
      const done = await pgbench(stage, endpoint, [...args, '-T', String(connectionSeconds)], PASSWORD);
      return { units: done.transactions, result: done };
    });
    return { 'login-cpu': cpuSecondsPerUnit * 1e3, 'login-rate': result.tps };
  },
};

/** A peer that asks for a password, with the secret as PostgreSQL stores it. */
async function start({ peer, name }: Target, stage: Stage, scope: Scope): Promise<RunningPeer> {
  await stage.postgres.query(`alter role ${USER} password '${PASSWORD}'`);
  const [row] = await stage.postgres.query(`select rolpassword from pg_authid where rolname = '${USER}'`);
  const secret = String(row?.['rolpassword']);
  if (name === 'pgbouncer') return await startPgbouncer(stage, scope, { authType: 'scram-sha-256', secret });
  if (name === 'bare-node') return await startBareNode(stage, scope, secret);
  const { pid, port } = await launch(stage, scope, {
    folder: peer.folder,
    hba: `hostssl all ${USER} 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n`,
    files: { 'userlist.txt': `"${USER}" "${secret}"\n` },
    config: { auth_file: 'userlist.txt' },
  });
  return { name, endpoint: { port, tls: true }, pid, baseline: null };
}
