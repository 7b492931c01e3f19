// Reads a TLS connection's first bytes and puts them back: a handshake that fails can then say what the client had
// offered, which OpenSSL does not tell.

import type { Socket } from 'node:net';
import { ByteReader } from '../../base/byte-reader.ts';
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
  const reader = new ByteReader(raw, signal);
  try {
    for (let seen = 0; ;) {
      const more = await reader.peek(seen + 1);
      if (more.length === seen) return { bytes: collector.received, ended: true };
      const all = await reader.peek(reader.surplus);
      if (collector.push(all.subarray(seen)) !== 'partial')
        return { bytes: collector.received, ended: false };
      seen = all.length;
    }
  } finally {
    reader.release();
  }
}
