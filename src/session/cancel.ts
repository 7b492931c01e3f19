// A cancel request's second half: the request goes to the upstream on a connection of its own, and only when it
// carries the key of a session that the gate relays, so that nobody can use the gate to guess keys.

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
 * @param signal ends the wait: whoever has sent the request is to go
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
      // Whether the upstream ever closes is no reason for a gate that shuts down to stay.
      dialed.waitNoLonger();
    });
    if (socket.destroyed) resolve(sent);
    socket.resume();
  });
}
