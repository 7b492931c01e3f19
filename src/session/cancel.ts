// Sends a cancel request to the upstream, on a connection of its own. Only a request with the key of a relayed session
// gets here; otherwise a stranger could use the gate to guess keys.

import type { CancelKey } from '../protocol/backend-key-data.ts';
import { encodeCancelRequest } from '../protocol/cancel-request.ts';
import { destroyOnAbort } from './end-signal.ts';
import type { Dialed, Dialer, DialSettings } from './dial.ts';

/** Becomes cancel_requests_total's label. */
export type CancelOutcome = 'forwarded' | 'unknown-key' | 'refused' | 'upstream-failed';

/**
 * Sends a CancelRequest and waits until the upstream has closed the connection, which is how PostgreSQL says that it
 * has dealt with it; at most upstream.connect_timeout.
 *
 * @param signal ends the wait, when the connection that the request came on has to end
 * @returns whether the request was sent whole
 */
export async function forwardCancel(
  dialer: Dialer,
  settings: DialSettings,
  cancel: CancelKey,
  signal: AbortSignal | null = null,
): Promise<boolean> {
  let dialed: Dialed;
  try {
    dialed = await dialer.dial(settings, signal === null ? {} : { signal });
  } catch {
    return false;
  }
  const { socket } = dialed;
  const stopWatching = signal === null ? null : destroyOnAbort(socket, signal);
  return await new Promise<boolean>((resolve) => {
    let sent = false;
    socket.on('close', () => {
      stopWatching?.();
      resolve(sent);
    });
    socket.end(encodeCancelRequest(cancel), () => {
      // Also called when the socket is destroyed first.
      if (socket.destroyed) return;
      sent = true;
      // An upstream that never closes must not keep a gate from shutting down.
      dialed.waitNoLonger();
    });
    if (socket.destroyed) resolve(sent);
    socket.resume();
  });
}
