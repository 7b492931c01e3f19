// Reads a TLS connection's first bytes and puts them back: a handshake that fails can then say what the client had
// offered, which OpenSSL does not tell.

import type { Socket } from 'node:net';
import { ClientHelloCollector } from './client-hello.ts';

export interface OpeningBytes {
  readonly bytes: Uint8Array;
  /** The client closed the connection before they were a ClientHello, or anything else one could answer. */
  readonly ended: boolean;
}

/**
 * Waits until a ClientHello is complete, or cannot become one. `raw` is then as it was, nothing of it read.
 * @param raw paused; what of it was read before has been unshifted
 * @throws the signal's reason
 */
export async function peekOpeningBytes(raw: Socket, signal: AbortSignal): Promise<OpeningBytes> {
  signal.throwIfAborted();
  const collector = new ClientHelloCollector();
  const { promise, resolve, reject } = Promise.withResolvers<OpeningBytes>();
  const onReadable = (): void => {
    for (let chunk = readChunk(raw); chunk !== null; chunk = readChunk(raw)) {
      if (collector.push(chunk) !== 'partial') return resolve({ bytes: collector.received, ended: false });
    }
    if (raw.destroyed || raw.readableEnded) onEnd();
  };
  const onEnd = (): void => resolve({ bytes: collector.received, ended: true });
  const onAbort = (): void => reject(signal.reason);
  raw.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
  signal.addEventListener('abort', onAbort);
  try {
    // A reader that has only just let go of `raw` may have used up the event for what is there already.
    onReadable();
    return await promise;
  } finally {
    raw.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
    signal.removeEventListener('abort', onAbort);
    if (collector.received.length > 0 && !raw.destroyed && !raw.readableEnded)
      raw.unshift(collector.received);
  }
}

function readChunk(raw: Socket): Buffer | null {
  const chunk: unknown = raw.read();
  return Buffer.isBuffer(chunk) ? chunk : null;
}
