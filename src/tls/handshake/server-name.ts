// The host that a client names in its ClientHello (SNI), read as PostgreSQL 19 reads it (sni.md §2.3). SECURITY: the
// certificate and the client's CA are chosen by it, so nothing is guessed: what cannot be read chooses nothing.

import { fromBytes } from '../../base/bytestring.ts';
import type { ServerName } from '../types.ts';
import { ClientHelloCollector } from './client-hello.ts';
import { Cursor, helloParts, uint16 } from './cursor.ts';

const SERVER_NAME = 0;
const HOST_NAME = 0;

/**
 * @param opening the connection's first bytes, from its first record on
 * @returns `malformed` for an extension that PostgreSQL answers with decode_error, and for a ClientHello that is longer
 *   than the gate reads; `unreadable` for everything that is not one. It never throws
 */
export function readServerName(opening: Uint8Array): ServerName {
  const collector = new ClientHelloCollector();
  collector.push(opening);
  if (collector.isTooLong) return { kind: 'malformed' };
  const { message } = collector;
  const parts = message === null ? null : helloParts(message);
  if (parts === null) return { kind: 'unreadable' };
  const extensions = new Cursor(parts.extensions);
  let wanted: ServerName | null = null;
  while (!extensions.atEnd && !extensions.failed) {
    const type = extensions.uint16();
    const body = extensions.vector(2);
    if (type !== SERVER_NAME || extensions.failed) continue;
    // OpenSSL refuses a second one. Here neither of the two counts.
    if (wanted !== null) return { kind: 'unreadable' };
    wanted = readExtension(body);
  }
  return extensions.failed ? { kind: 'unreadable' } : (wanted ?? { kind: 'none' });
}

/** RFC 6066 §3 in PostgreSQL's reading: the list fills the extension, and its first entry is a host name. */
function readExtension(body: Uint8Array): ServerName {
  const list = body.subarray(2);
  if (list.length === 0 || uint16(body, 0) !== list.length || list[0] !== HOST_NAME)
    return { kind: 'malformed' };
  const entry = list.subarray(1);
  const name = entry.subarray(2);
  const length = uint16(entry, 0);
  if (name.length === 0 || length > name.length) return { kind: 'malformed' };
  return { kind: 'named', name: fromBytes(name.subarray(0, length)) };
}
