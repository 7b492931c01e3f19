// A ClientHello, collected from the bytes as they came, and what it offers: for the log line of a handshake that failed.
// Of what is read here only the host decides (server-name.ts).

import { fromBytes, toPrintableAscii } from '../../base/bytestring.ts';
import type { ClientHelloFacts } from '../types.ts';
import { Cursor, helloParts, uint16 } from './cursor.ts';
import { groupNames, versionNames } from './tls-names.ts';

const HANDSHAKE_RECORD = 0x16;
const RECORD_HEADER_BYTES = 5;
/** RFC 8446 §5.1: a longer record is none. */
const MAX_RECORD_BYTES = 2 ** 14;
const CLIENT_HELLO = 1;
const MESSAGE_HEADER_BYTES = 4;
/** Nothing is waited for beyond this; real ones have 200 to 2000 bytes. */
const MAX_HELLO_BYTES = 2 ** 16;

/** What more bytes could tell: `partial` = a ClientHello so far, `whole` = all of it, `other` = it is none. */
export type HelloState = 'partial' | 'whole' | 'other';

/**
 * Watches a connection's first bytes until its ClientHello is complete, which TLS lets a client split over several
 * records. Work and memory grow with the bytes pushed, however small the pieces, up to 64 KiB.
 */
export class ClientHelloCollector {
  readonly #received = new GrowingBytes();
  readonly #message = new GrowingBytes();
  #nextRecord = 0;
  #state: HelloState = 'partial';
  #isTooLong = false;

  /** Everything pushed so far. */
  get received(): Uint8Array {
    return this.#received.bytes;
  }

  /** The ClientHello without its header; null unless `whole`. */
  get message(): Uint8Array | null {
    if (this.#state !== 'whole') return null;
    return this.#message.bytes.subarray(MESSAGE_HEADER_BYTES, helloEnd(this.#message.bytes));
  }

  /** It began as a ClientHello and has not ended within what the gate reads. */
  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  push(bytes: Uint8Array): HelloState {
    this.#received.append(bytes);
    while (this.#state === 'partial' && this.#takeRecord());
    return this.#state;
  }

  /** False when the next record is not there yet. */
  #takeRecord(): boolean {
    const bytes = this.#received.bytes;
    const start = this.#nextRecord;
    const [type, major] = [bytes[start], bytes[start + 1]];
    const length = uint16(bytes, start + 3);
    const headerSeen = bytes.length - start >= RECORD_HEADER_BYTES;
    if (
      (type !== undefined && type !== HANDSHAKE_RECORD) ||
      (major !== undefined && major !== 3) ||
      (headerSeen && (length === 0 || length > MAX_RECORD_BYTES))
    ) {
      this.#state = 'other';
      return false;
    }
    const end = start + RECORD_HEADER_BYTES + length;
    // By its place and not by what has arrived, so that the network cannot change what a client gets.
    if (headerSeen && end > MAX_HELLO_BYTES) return this.#giveUp();
    if (!headerSeen || bytes.length < end) return false;
    this.#message.append(bytes.subarray(start + RECORD_HEADER_BYTES, end));
    this.#nextRecord = end;
    const message = this.#message.bytes;
    if (message[0] !== CLIENT_HELLO) this.#state = 'other';
    else if (message.length >= helloEnd(message)) this.#state = 'whole';
    return true;
  }

  #giveUp(): false {
    this.#state = 'other';
    this.#isTooLong = this.#message.length > 0;
    return false;
  }
}

/** Where the ClientHello that begins a handshake stream ends; beyond everything while its header is incomplete. */
function helloEnd(message: Uint8Array): number {
  if (message.length < MESSAGE_HEADER_BYTES) return Number.POSITIVE_INFINITY;
  return MESSAGE_HEADER_BYTES + (message[1] ?? 0) * 0x10000 + uint16(message, 2);
}

/** Bytes that are appended to in linear time. */
class GrowingBytes {
  #buffer = new Uint8Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(length, this.#buffer.length * 2));
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
  }
}

const extensionTypes = { serverName: 0, supportedGroups: 10, alpn: 16, supportedVersions: 43 } as const;
const HOST_NAME = 0;
/** Entries shown of each list: more than any real client offers. */
const MAX_LIST = 128;

/**
 * The offers of a ClientHello.
 *
 * @param record the TLS record, or the several, that hold it, from the connection's first byte on
 * @returns null when that is not a complete, well-formed ClientHello. It never throws
 */
export function decodeClientHello(record: Uint8Array): ClientHelloFacts | null {
  const collector = new ClientHelloCollector();
  collector.push(record);
  const { message } = collector;
  if (message === null) return null;

  const hello = helloParts(message);
  const offered = hello === null ? null : readExtensions(hello.extensions);
  if (hello === null || offered === null) return null;
  return {
    sni: offered.sni,
    alpn: offered.alpn,
    // Before TLS 1.3 a client names only the highest version it speaks.
    versions: names(offered.versions ?? [hello.legacyVersion], versionNames),
    groups: names(offered.groups, groupNames),
  };
}

interface OfferedExtensions {
  sni: string | null;
  alpn: string[];
  versions: number[] | null;
  groups: number[];
}

function readExtensions(bytes: Uint8Array): OfferedExtensions | null {
  const offered: OfferedExtensions = { sni: null, alpn: [], versions: null, groups: [] };
  const extensions = new Cursor(bytes);
  while (!extensions.atEnd && !extensions.failed) {
    const type = extensions.uint16();
    const body = new Cursor(extensions.vector(2));
    switch (type) {
      case extensionTypes.serverName:
        offered.sni = readServerName(body.vector(2));
        break;
      case extensionTypes.alpn:
        offered.alpn = readProtocols(body.vector(2));
        break;
      case extensionTypes.supportedGroups:
        offered.groups = numbers(body.vector(2));
        break;
      case extensionTypes.supportedVersions:
        offered.versions = numbers(body.vector(1));
        break;
      default:
        continue;
    }
    if (body.failed) return null;
  }
  return extensions.failed ? null : offered;
}

/** RFC 6066 §3; the first host name counts, and there may be only one. */
function readServerName(bytes: Uint8Array): string | null {
  const list = new Cursor(bytes);
  while (!list.atEnd && !list.failed) {
    const type = list.take(1)[0];
    const name = list.vector(2);
    if (type === HOST_NAME && !list.failed) return printable(name);
  }
  return null;
}

function readProtocols(bytes: Uint8Array): string[] {
  const list = new Cursor(bytes);
  const protocols: string[] = [];
  while (!list.atEnd && !list.failed && protocols.length < MAX_LIST)
    protocols.push(printable(list.vector(1)));
  return protocols;
}

/** Names come from strangers and go into log lines. */
function printable(bytes: Uint8Array): string {
  return toPrintableAscii(fromBytes(bytes.subarray(0, 255)));
}

function numbers(bytes: Uint8Array): number[] {
  const list: number[] = [];
  for (let at = 0; at + 1 < bytes.length && list.length < MAX_LIST; at += 2) list.push(uint16(bytes, at));
  return list;
}

function names(values: readonly number[], known: ReadonlyMap<number, string>): string[] {
  return values
    .filter((value) => !isGrease(value))
    .map((value) => known.get(value) ?? `0x${value.toString(16).padStart(4, '0')}`);
}

/** RFC 8701: values that mean nothing, offered so that servers learn to ignore what they do not know. */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}

/** A log line's fields for what a client offered; none where that is not known. */
export function offeredFields(hello: ClientHelloFacts | null): Readonly<Record<string, unknown>> {
  if (hello === null) return {};
  const { sni, alpn, versions, groups } = hello;
  return { sni, alpn, versions, groups };
}
