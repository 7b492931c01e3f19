// The first packet's body: pure bytes in, a request out. Follows ProcessStartupPacket of PostgreSQL's
// backend_startup.c in the order in which it finds fault, since the order decides which error a client sees.

import { fromBytes, MAX_NAME_BYTES, toBytes, type ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import { encodePacket } from './message.ts';

/** What the upstream is spoken to in: a legacy server knows no other. */
export const PROTOCOL_3_0 = 3 << 16;

/** The newest minor version that clients are spoken to in. It differs from 3.0 by its cancel key alone (contract §2). */
export const NEWEST_MINOR_VERSION = 2;

/** Limits of a connection's first packet, whichever it is; the length word counts itself. */
export const MIN_STARTUP_PACKET_LENGTH = 8;
export const MAX_STARTUP_PACKET_LENGTH = 10_004;

/** How a connection uses replication: not at all, as a physical standby, or logically in a database. */
export type Replication = 'none' | 'physical' | 'database';

/** A StartupMessage as far as the gate reads it. */
export interface StartupRequest {
  /** Every parameter but the `_pq_.` ones, repeated names folded to their last value (semantics §1.13). */
  readonly parameters: ReadonlyMap<ByteString, ByteString>;
  /** `_pq_.` names, in the order given; none is understood. */
  readonly protocolOptions: readonly ByteString[];
  /** The protocol version's minor number, as asked for. */
  readonly minorVersion: number;
  /** As the rules see it: cut to 63 bytes. */
  readonly user: ByteString;
  /** As the rules see it: the user where absent, cut to 63 bytes, empty for physical replication. */
  readonly database: ByteString;
  readonly replication: Replication;
  readonly applicationName: ByteString;
}

/** Splits a protocol version Int32 into the numbers that people write. */
export function protocolVersion(code: number): { major: number; minor: number } {
  return { major: code >>> 16, minor: code & 0xffff };
}

/**
 * Decodes what follows the length word and the protocol version of a StartupMessage of major version 3.
 * Decoding stops at the first fault, so a client gets exactly the error that PostgreSQL would give it.
 *
 * @param code the packet's protocol version Int32
 * @param body the bytes after it
 * @param onDecoded called once the packet is well formed and before its content is judged: PostgreSQL
 *   answers NegotiateProtocolVersion at that point, even to a client that names no user
 * @throws GatehouseError `invalid-replication-value`, `invalid-startup-packet-layout`, `no-user-name`
 */
export function decodeStartupMessage(
  code: number,
  body: Uint8Array,
  onDecoded: (minorVersion: number, protocolOptions: readonly ByteString[]) => void,
): StartupRequest {
  const { parameters, protocolOptions, replication } = decodeParameters(fromBytes(body));
  const minorVersion = protocolVersion(code).minor;
  onDecoded(minorVersion, protocolOptions);
  const user = parameters.get('user') ?? '';
  if (user === '') {
    throw new GatehouseError('no-user-name');
  }
  const database = parameters.get('database') || user;
  return {
    parameters,
    protocolOptions,
    minorVersion,
    user: user.slice(0, MAX_NAME_BYTES),
    database: replication === 'physical' ? '' : database.slice(0, MAX_NAME_BYTES),
    replication,
    applicationName: parameters.get('application_name') ?? '',
  };
}

/** A name, then its value, then the next name. Each ends with a NUL, and one more NUL ends the list. */
function decodeParameters(
  text: ByteString,
): Pick<StartupRequest, 'parameters' | 'protocolOptions' | 'replication'> {
  const parameters = new Map<ByteString, ByteString>();
  const protocolOptions: ByteString[] = [];
  let replication: Replication = 'none';
  let offset = 0;
  // A string without its NUL runs to the end of the packet. The check of the layout then refuses it.
  const endOfString = (from: number): number => {
    const end = text.indexOf('\0', from);
    return end < 0 ? text.length : end;
  };
  while (offset < text.length && text[offset] !== '\0') {
    const nameEnd = endOfString(offset);
    const valueStart = nameEnd + 1;
    if (valueStart >= text.length) break;
    const valueEnd = endOfString(valueStart);
    const name = text.slice(offset, nameEnd);
    const value = text.slice(valueStart, valueEnd);
    if (name.startsWith('_pq_.')) protocolOptions.push(name);
    else {
      if (name === 'replication') replication = parseReplication(value);
      parameters.set(name, value);
    }
    offset = valueEnd + 1;
  }
  if (offset !== text.length - 1) {
    throw new GatehouseError('invalid-startup-packet-layout');
  }
  return { parameters, protocolOptions, replication };
}

/**
 * The StartupMessage that the upstream gets: protocol 3.0, the client's parameters with repeated names folded, user and
 * database as they were judged, an absent database filled in, no `_pq_.` options (contract §7.14, §7.31). No longer than
 * a client's may be.
 *
 * @param added settings of the gate's own, after the client's; what does not fit is left out
 * @param onLeftOut called with the name of each of them
 */
export function encodeStartupMessage(
  { parameters, user, database }: Pick<StartupRequest, 'parameters' | 'user' | 'database'>,
  added: ReadonlyMap<ByteString, ByteString> = new Map(),
  onLeftOut: (name: ByteString) => void = () => {},
): Buffer {
  const asked = parameters.get('database') ?? '';
  const sent = new Map(parameters);
  // SECURITY: a server that cuts names elsewhere, or not at all, must not take the user for another than the rules did.
  sent.set('user', user);
  // No rule sees the database of a physical replication connection, so there it is the one that was asked for.
  sent.set('database', database || asked.slice(0, MAX_NAME_BYTES) || user);
  // Where the client has left no room for it, the upstream fills it in itself: it would refuse a longer packet.
  if (asked === '' && encodeParameters(sent).length > MAX_STARTUP_PACKET_LENGTH) sent.delete('database');
  let { length } = encodeParameters(sent);
  for (const [name, value] of added) {
    const more = name.length + value.length + 2;
    if (length + more > MAX_STARTUP_PACKET_LENGTH) onLeftOut(name);
    else {
      length += more;
      // SECURITY: after everything of the client's. Of a name that comes twice the server takes the last value.
      sent.delete(name);
      sent.set(name, value);
    }
  }
  return encodeParameters(sent);
}

/** A StartupMessage of protocol 3.0 with these parameters, in their order. */
export function encodeParameters(parameters: ReadonlyMap<ByteString, ByteString>): Buffer {
  let body = '';
  for (const [name, value] of parameters) body += `${name}\0${value}\0`;
  return encodePacket(PROTOCOL_3_0, toBytes(`${body}\0`));
}

/** `database`, or a boolean as parse_bool of PostgreSQL's bool.c reads one: unique prefixes, any case. */
function parseReplication(value: ByteString): Replication {
  if (value === 'database') return 'database';
  const lower = value.toLowerCase();
  const isPrefixOf = (word: string, minLength = 1): boolean =>
    lower.length >= minLength && lower.length <= word.length && word.startsWith(lower);
  // `o` alone could be on or off, so those two need a second letter.
  if (isPrefixOf('true') || isPrefixOf('yes') || lower === 'on' || lower === '1') return 'physical';
  if (isPrefixOf('false') || isPrefixOf('no') || isPrefixOf('off', 2) || lower === '0') return 'none';
  throw new GatehouseError('invalid-replication-value', {
    reply: `invalid value for parameter "replication": "${value}"`,
    replyHint: 'Valid values are: "false", 0, "true", 1, "database".',
  });
}
