// What the upstream learns of the client (contract §15): who it is, as settings that the client cannot forge, and where
// it comes from, in application_name.

import { fromText, MAX_NAME_BYTES, toPrintableAscii, toText, type ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import type { Settings } from '../config/schema.ts';
import type { UpstreamError } from '../protocol/error-response.ts';
import {
  encodeStartupMessage,
  MAX_STARTUP_PACKET_LENGTH,
  type StartupRequest,
} from '../protocol/startup-message.ts';
import { comparable, isUnder, mentions, withoutSettings } from '../protocol/startup-options.ts';

/** undefined_object of servers before 9.2, invalid_name of later ones, protocol_violation of PgBouncer. */
const REFUSALS = ['42704', '42602', '08P01'];

/** PgBouncer's name for a client that gives none. */
const NAMELESS = 'app';

/** Who the client is, by what the gate has found. */
export interface KnownClient {
  /** Its address and port, declared ones included. */
  readonly host: string;
  readonly port: number;
  /** RFC 2253; null without a verified certificate. */
  readonly dn: ByteString | null;
  /** As the log has it; null for trust. */
  readonly identity: ByteString | null;
  readonly rule: { readonly file: string; readonly line: number };
}

/** The upstream's startup packet. */
export interface UpstreamStartup {
  readonly packet: Buffer;
  /** Full names of the settings that the gate has added. */
  readonly added: readonly string[];
  /** Full names of those that had no room. */
  readonly leftOut: readonly string[];
  /** Whether an error of the upstream can only be about a setting of the gate's. */
  readonly isRefusal: (error: UpstreamError) => boolean;
}

/**
 * The startup packet for the upstream.
 *
 * @param client null = the upstream takes no settings of the gate's; the client's own are filtered all the same
 * @throws GatehouseError `identity-setting-unclear`
 */
export function upstreamStartup(
  startup: StartupRequest,
  { upstream }: Pick<Settings, 'upstream'>,
  client: KnownClient,
  sendsIdentity: boolean,
): UpstreamStartup {
  const { identity_prefix: prefix, application_name_add_host: addsHost } = upstream;
  const leftOut: string[] = [];
  const request = { ...startup, parameters: withoutForgeries(startup.parameters, prefix) };
  const added =
    prefix === '' || !sendsIdentity ? new Map<string, string>() : identitySettings(prefix, client);
  if (addsHost && startup.replication !== 'physical') {
    const named = { ...request, parameters: withHost(request.parameters, client) };
    if (encodeStartupMessage(named).length <= MAX_STARTUP_PACKET_LENGTH)
      request.parameters = named.parameters;
    else leftOut.push('application_name');
  }
  const packet = encodeStartupMessage(request, added, (name) => leftOut.push(name));
  const names = [...added.keys()].filter((name) => !leftOut.includes(name));
  const isOfTheClient = [...request.parameters].some((pair) => pair.some((text) => mentions(text, prefix)));
  return {
    packet,
    added: names,
    leftOut,
    // SECURITY: a client that could bring such an error about would keep the settings of all others from the upstream.
    isRefusal: ({ sqlstate, message }) =>
      !isOfTheClient && REFUSALS.includes(sqlstate ?? '') && names.some((name) => isAbout(message, name)),
  };
}

/** Servers have the name in quotes, in whatever language; PgBouncer has it at the end. */
function isAbout(message: ByteString, name: string): boolean {
  const text = comparable(message);
  return text.includes(`"${comparable(name)}"`) || text.endsWith(`: ${comparable(name)}`);
}

/** SECURITY: a client's own settings under the prefix would be taken for the gate's. */
function withoutForgeries(
  parameters: StartupRequest['parameters'],
  prefix: string,
): ReadonlyMap<ByteString, ByteString> {
  if (prefix === '') return parameters;
  const kept = new Map([...parameters].filter(([name]) => !isUnder(name, prefix)));
  const options = kept.get('options');
  if (options === undefined) return kept;
  const rest = withoutSettings(options, prefix);
  if (rest === null) {
    throw new GatehouseError('identity-setting-unclear', {
      reply: `permission denied to set parameter "${prefix}.*"`,
    });
  }
  if (rest === '' && options !== '') kept.delete('options');
  else kept.set('options', rest);
  return kept;
}

function identitySettings(prefix: string, client: KnownClient): ReadonlyMap<ByteString, ByteString> {
  const { host, port, dn, identity, rule } = client;
  const values: Readonly<Record<string, ByteString>> = {
    client_addr: host,
    client_port: String(port),
    dn: dn ?? '',
    identity: identity ?? '',
    rule: fromText(`${rule.file}:${rule.line}`),
  };
  // A server whose encoding is UTF-8 would keep other bytes as they are and fail over them later.
  return new Map(
    Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, fromText(toText(value))]),
  );
}

/** `NAME - HOST:PORT` in at most 63 bytes, so that the server cuts nothing off: the name gives way. */
function withHost(
  parameters: ReadonlyMap<ByteString, ByteString>,
  { host, port }: KnownClient,
): ReadonlyMap<ByteString, ByteString> {
  const given = [...parameters].findLast(isApplicationName)?.[1];
  const place = ` - ${host.includes(':') ? `[${host}]` : host}:${port}`;
  // Servers from 16 on write other bytes as four, and the address would be cut off.
  const name = toPrintableAscii(given || NAMELESS).slice(0, MAX_NAME_BYTES - place.length);
  const others = [...parameters].filter((pair) => !isApplicationName(pair));
  return new Map([...others, ['application_name', `${name}${place}`]]);
}

/** The server compares names without regard to case, and takes the last one. */
function isApplicationName([name]: readonly [ByteString, ByteString]): boolean {
  return comparable(name) === 'application_name';
}
