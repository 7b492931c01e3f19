// A name server that answers as a test wants, holds an answer back, or never gives one. Speaks as much DNS as a stub
// resolver needs: one question, A and PTR records.

import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { NAME_SERVER } from './network-namespace.ts';
import { atEnd, type Scope } from '../run/scope.ts';
import { Arrivals } from '../run/waiting.ts';

/** What is known of a name: an address, a name for an address's name, that there is none, or silence for now. */
export type Knowledge = { readonly address: string } | { readonly name: string } | 'no such name' | 'silence';

const TYPES: Readonly<Record<number, string>> = { 1: 'A', 12: 'PTR', 28: 'AAAA' };

interface Query {
  /** `A db.example`. */
  readonly text: string;
  readonly packet: Buffer;
  readonly from: RemoteInfo;
}

/** Made by nameServer() only. */
export class NameServer {
  readonly #queries = new Arrivals<Query>();
  readonly #send: (answer: Buffer, to: RemoteInfo) => void;
  /** By name, without its last dot. Changed at will. */
  readonly known: Map<string, Knowledge>;

  constructor(known: Iterable<readonly [string, Knowledge]>, send: (answer: Buffer, to: RemoteInfo) => void) {
    this.known = new Map(known);
    this.#send = send;
  }

  /** Every question so far: `PTR 1.0.66.10.in-addr.arpa`. */
  get questions(): readonly string[] {
    return this.#queries.items.map(({ text }) => text);
  }

  /** Resolves once this has been asked. */
  async asked(text: string): Promise<void> {
    await this.#queries.next((query) => query.text === text, `the name server to be asked ${text}`);
  }

  /** Answers now what was met with silence, by what is known now. */
  breakSilence(name: string): void {
    for (const query of this.#queries.items) if (query.text.endsWith(` ${name}`)) this.#answer(query);
  }

  receive(packet: Buffer, from: RemoteInfo): void {
    const { name, type } = readQuestion(packet);
    const query = { text: `${TYPES[type] ?? type} ${name}`, packet, from };
    this.#queries.push(query);
    this.#answer(query);
  }

  #answer({ text, packet, from }: Query): void {
    const [type = '', name = ''] = text.split(' ');
    const known = this.known.get(name) ?? 'no such name';
    if (known === 'silence') return;
    this.#send(answerTo(packet, type, known), from);
  }
}

/** Answers at the address where the network's resolver asks, until the test is over. */
export async function nameServer(
  t: Scope,
  known: Iterable<readonly [string, Knowledge]>,
): Promise<NameServer> {
  const socket = createSocket('udp4');
  const server = new NameServer(known, (answer, to) => socket.send(answer, to.port, to.address));
  socket.on('message', (packet, from) => server.receive(packet, from));
  socket.bind(53, NAME_SERVER);
  await once(socket, 'listening');
  atEnd(t, () => void socket.close());
  return server;
}

/** The name under which the resolver looks for an IPv4 address's name. */
export function reverseName(address: string): string {
  return `${address.split('.').toReversed().join('.')}.in-addr.arpa`;
}

function readQuestion(packet: Buffer): { name: string; type: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = packet[at] ?? 0; length !== 0; length = packet[at] ?? 0) {
    labels.push(packet.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.'), type: packet.readUInt16BE(at + 1) };
}

/** The question comes back first; a record points at its name. */
function answerTo(query: Buffer, type: string, known: Exclude<Knowledge, 'silence'>): Buffer {
  const data = recordData(type, known);
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(known === 'no such name' ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(data === null ? 0 : 1, 6);
  header.fill(0, 8, 12);
  const question = query.subarray(12, query.indexOf(0, 12) + 5);
  if (data === null) return Buffer.concat([header, question]);
  const record = Buffer.alloc(12);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(type === 'PTR' ? 12 : 1, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt16BE(data.length, 10);
  return Buffer.concat([header, question, record, data]);
}

/** Null = the name has no record of that type. */
function recordData(type: string, known: Exclude<Knowledge, 'silence'>): Buffer | null {
  if (known === 'no such name') return null;
  if ('address' in known) return type === 'A' ? Buffer.from(known.address.split('.').map(Number)) : null;
  if (type !== 'PTR') return null;
  const labels = known.name
    .split('.')
    .map((label) => Buffer.from(`${String.fromCodePoint(label.length)}${label}`, 'latin1'));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
