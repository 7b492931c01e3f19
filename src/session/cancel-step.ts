// Cancel keys and cancel requests: the part of connection.ts that gives a session a key of the gate's own, and finds it
// again by that key.

import { cancelKeyLength, type CancelKey } from '../protocol/backend-key-data.ts';
import type { StartupRequest } from '../protocol/startup-message.ts';
import type { CancelOutcome } from '../telemetry/labels.ts';
import { isStale } from './admission.ts';
import { forwardCancel } from './cancel.ts';
import type { Connection } from './connection.ts';
import type { UpstreamLink } from './dial.ts';
import { withSignal } from './end-signal.ts';
import { staleHandshake, unverifiedCertificate } from './refuse.ts';

/**
 * Notes what the upstream's BackendKeyData says, and returns what the client is told instead: the same process, and a
 * key of the gate's own as long as the client's protocol has it. Of several the last one counts, as in libpq.
 *
 * SECURITY: the upstream's key never reaches the client. Its four bytes can be guessed, and beside the gate anyone who
 * reaches the server could use it.
 */
export function giveKey(
  { gate, log, session }: Connection,
  { place }: UpstreamLink,
  { minorVersion }: StartupRequest,
  theirs: CancelKey,
): CancelKey | null {
  log.upstreamPid = theirs.pid;
  if (session === null) return null;
  session.pid = theirs.pid;
  session.cancelTarget = { ...place, ...theirs };
  return { pid: theirs.pid, key: gate.sessions.issueKey(session, theirs.pid, cancelKeyLength(minorVersion)) };
}

/** A cancel request, in clear or inside TLS: no rule is asked (semantics §1.11), and never a byte answered. */
export async function cancel(connection: Connection, request: CancelKey): Promise<'cancel'> {
  const { gate, life, log } = connection;
  connection.isCancel = true;
  const snapshot = gate.snapshot();
  // SECURITY: a certificate that does not verify is refused here too; without an answer, as every cancel request.
  if (log.tls?.certificate.state === 'unverified') {
    gate.metrics.cancelRequest('refused');
    throw unverifiedCertificate(log.tls.certificate, log.tls.hello(), { silent: true });
  }
  if (isStale(connection, snapshot)) {
    gate.metrics.cancelRequest('refused');
    throw staleHandshake(log.tls?.hello() ?? null, { silent: true });
  }
  const outcome = await carryOut(connection, request);
  gate.metrics.cancelRequest(outcome);
  // Its place was needed, or its time is up: whether the upstream has dealt with it is not waited for any longer.
  life.signal.throwIfAborted();
  const { id, host, port } = log;
  gate.log.debug({ code: 'cancel-request', id, host, port, outcome }, 'cancel request');
  return 'cancel';
}

async function carryOut({ gate, life, block }: Connection, request: CancelKey): Promise<CancelOutcome> {
  const { settings } = gate.snapshot();
  const { pid, key } = request;
  const look = gate.cancelGuesses.lookUp(block, async () => await gate.useKey(pid, key));
  const found = await withSignal(look, life.signal);
  if (found === 'too-many') return found;
  if (found === null) return 'unknown-key';
  if (found.target === null) return 'forwarded';
  return (await forwardCancel(gate.dialer, settings, found.target, life.signal))
    ? 'forwarded'
    : 'upstream-failed';
}
