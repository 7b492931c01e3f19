// A gate with a running session, and more log lines than any buffer holds.

import { letIn, openSession, takeOver, TRUST } from '../session/clients.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { query, type RawClient } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';

export const DROPPED = 'gatehouse_log_lines_dropped_total';

/** The log goes through a FIFO and cat(1), which can be stopped and killed; its process is the log's first line. */
export const THROUGH_CAT = [
  'mkfifo log.fifo',
  'exec 3>&1',
  '{ cat log.fifo >&3 & }',
  `echo '{"msg":"cat","cat":'$!'}'`,
  'exec >log.fifo 3>&-',
].join('; ');

/** A rule file that is refused with so many lines in the log, each of more than 1,500 bytes. */
export const REFUSED_LINES = 800;
const REFUSED = `hostssl all all all ${'no-such-method-'.repeat(100)}\n`.repeat(REFUSED_LINES);

export async function setUp(t: Scope, prelude: string, config: Record<string, unknown> = {}) {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await letIn(connection);
    const socket = takeOver(connection);
    socket.pipe(socket);
  });
  const gate = await startGate(t, { hba: TRUST, upstream, prelude, config });
  const { client } = await openSession(t, gate);
  return { gate, client };
}

/** Makes more log lines than any buffer holds, and counts that the gate goes on meanwhile. */
export async function floodLog(gate: Gate, client: RawClient): Promise<number> {
  gate.rewrite('pg_hba.conf', REFUSED);
  for (let round = 0; round < 2; round++) {
    await gate.admin('/reload', { method: 'POST' });
    await goesOn(client);
  }
  gate.rewrite('pg_hba.conf', TRUST);
  return (await gate.metrics()).value(DROPPED);
}

/** A running session's bytes go both ways. */
export async function goesOn(client: RawClient): Promise<void> {
  const bytes = query('select 1');
  await client.send(bytes);
  await client.read(bytes.length);
}
