// Whether the upstream is alive: an SSLRequest and the one byte that every PostgreSQL answers it with. A bare connect
// says less: the kernel takes connections for a stopped postmaster too, and PostgreSQL 10 logs each as an incomplete
// startup packet. A StartupMessage would fill the log of every version (contract §7.15).

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ACCEPT_SSL, encodeSslRequest, REFUSE_ENCRYPTION } from '../protocol/encryption-request.ts';
import type { Dialer, DialSettings } from './dial.ts';

/**
 * Asks once.
 *
 * @param timeoutMs for the connection and the answer together
 * @returns false = another answer than `S` or `N`, or the connection ended without one
 * @throws what Dialer.dial throws, `upstream-timeout` where nothing was answered in time
 */
export async function upstreamAnswers(
  dialer: Dialer,
  settings: DialSettings,
  timeoutMs: number,
): Promise<boolean> {
  const { socket } = await dialer.dial(settings, { timeoutMs });
  try {
    socket.write(encodeSslRequest());
    const [answer]: unknown[] = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    if (!(answer instanceof Buffer)) return false;
    if (!answer.equals(ACCEPT_SSL)) return answer.equals(REFUSE_ENCRYPTION);
    await finishTls(socket);
    return true;
  } finally {
    socket.destroy();
  }
}

/**
 * Makes the handshake, and closes where a startup packet would come: no version logs that, but each logs a connection
 * that ends right after `S`. Nothing is sent inside TLS, so the server's certificate need not be verified.
 */
async function finishTls(socket: Socket): Promise<void> {
  const secure = connectTls({ socket, rejectUnauthorized: false });
  const closed = new Promise<void>((resolve) => void secure.once('close', resolve));
  secure.on('error', () => secure.destroy());
  secure.once('secureConnect', () => {
    // Reads what the server sends after the handshake. Closing with it unread would be a reset, which the server logs.
    secure.resume();
    secure.end();
  });
  await closed;
}
