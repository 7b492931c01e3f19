// Sends a cancel request to the upstream, on a connection of its own: with the upstream's key, for a session that is
// relayed. No client knows that key.

import type { CancelKey } from '../protocol/backend-key-data.ts';
import { encodeCancelRequest } from '../protocol/cancel-request.ts';
import { destroyOnAbort } from './end-signal.ts';
import type { Dialed, Dialer, DialSettings } from './dial.ts';

/** Where a session's backend is, and the key that it gave. */
export interface CancelTarget extends CancelKey {
  /** As `upstream.host`: an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
}

/**
 * Sends a CancelRequest and waits until the upstream has closed the connection, which is how PostgreSQL says that it
 * has dealt with it; at most upstream.connect_timeout.
 *
 * @param settings for the dial; it goes to where the session is, even where a reload has named another upstream
 * @param signal ends the wait, when the connection that the request came on has to end
 * @returns whether the request was sent whole
 */
export async function forwardCancel(
  dialer: Dialer,
  settings: DialSettings,
  { host, port, pid, key }: CancelTarget,
  signal: AbortSignal | null = null,
): Promise<boolean> {
  let dialed: Dialed;
  try {
    const upstream = { ...settings.upstream, host, port };
    dialed = await dialer.dial({ ...settings, upstream }, signal === null ? {} : { signal });
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
    socket.end(encodeCancelRequest({ pid, key }), () => {
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
