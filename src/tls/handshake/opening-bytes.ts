// Looks at a TLS connection's first bytes and leaves them where they are: a handshake that fails can then say what the client had
// offered, which OpenSSL does not tell.

import type { ByteReader } from '../../base/byte-reader.ts';
import { ClientHelloCollector } from './client-hello.ts';

export interface OpeningBytes {
  readonly bytes: Uint8Array;
  /** The client closed the connection before they were a ClientHello, or anything else one could answer. */
  readonly ended: boolean;
}

/**
 * Waits until a ClientHello is complete, or cannot become one, and takes nothing of it.
 *
 * @param reader of the TCP connection; released when it is over, well or not: the bytes are then the socket's again
 * @throws the reason of the reader's signal
 */
export async function peekOpeningBytes(reader: ByteReader): Promise<OpeningBytes> {
  const collector = new ClientHelloCollector();
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
