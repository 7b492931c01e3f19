// A whole connection: a real gate in this process, a client that may send anything, in clear and inside TLS, with and
// without a certificate, and an upstream that writes down what it gets. Nobody reaches it but by a rule.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { ConfigHolder, loadSnapshot } from '../../src/config/snapshot.ts';
import { ServingProcess } from '../../src/server/serving-process.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import {
  authenticationOk,
  authenticationSasl,
  backendKeyData,
  cancelRequest,
  decodeMessages,
  decodeStartup,
  gssencRequest,
  passwordMessage,
  PROTOCOL_3_0,
  query,
  readyForQuery,
  sslRequest,
  startupMessage,
  terminate,
} from '../../test/support/peers/messages.ts';
import { Draws, pieces } from '../draws.ts';
import { invariant, type Target } from '../target.ts';

const HBA = `
host    never   all     0.0.0.0/0     reject
hostssl certs   all     0.0.0.0/0     cert
host    plain   alice   0.0.0.0/0     trust
host    secret  bob     0.0.0.0/0     scram-sha-256
`;

/** Who the rules above let pass to the upstream, told anew. */
function mayPass(user: string, database: string, verified: string | null): boolean {
  if (database === 'certs') return verified !== null && verified === user;
  return (database === 'plain' && user === 'alice') || (database === 'secret' && user === 'bob');
}

const KEY = Buffer.from('0badcafe', 'hex');

/** How the client begins, and with which certificate; the rest of the input is what it sends after that. */
const PATHS = ['plain', 'tls', 'direct'] as const;
const CERTIFICATES = ['none', 'alice', 'foreign'] as const;
const ENDS = ['half-close', 'reset'] as const;

export async function connectionTarget(): Promise<Target> {
  const house = await House.open();
  return {
    maxLength: 2_048,
    limitMs: 3_000,
    seeds: [
      seed(0, 0, alice('plain'), query('select 1'), terminate()),
      seed(0, 0, sslRequest(), alice('plain')),
      seed(0, 0, gssencRequest(), alice('never')),
      seed(0, 0, alice('certs')),
      seed(1, 0, alice('certs')),
      seed(1, 1, alice('certs'), query('select 1')),
      seed(1, 1, startupMessage({ user: 'bob', database: 'certs' })),
      seed(1, 2, alice('plain')),
      seed(2, 1, alice('certs')),
      seed(1, 1, startupMessage({ user: 'bob', database: 'secret' })),
      // The query's last byte is even, the password's with its `!` odd: an upstream that trusts, and one that asks.
      seed(0, 0, startupMessage({ user: 'bob', database: 'secret' }), query('drop table t')),
      seed(1, 0, startupMessage({ user: 'bob', database: 'secret' }), passwordMessage('x'), Buffer.from('!')),
      seed(0, 0, cancelRequest(4242, KEY)),
      seed(1, 0, cancelRequest(4242, Buffer.from('00000000', 'hex'))),
      seed(0, 0, startupMessage({ user: 'alice', database: 'plain', '_pq_.x': '1' }, (3 << 16) | 2)),
    ],
    dictionary: [
      sslRequest(),
      gssencRequest(),
      alice('plain'),
      alice('certs'),
      cancelRequest(4242, KEY),
      query('x'),
      terminate(),
    ],
    run: (input) => house.visit(input),
    close: () => house.close(),
  };
}

interface Log {
  readonly msg: string;
  readonly id?: string;
  readonly code?: string;
}

/** The gate, its upstream and its certificates. */
class House {
  readonly #directory = mkdtempSync(join(tmpdir(), 'fuzz-'));
  readonly #authority = createAuthority({ subject: 'Fuzz CA' });
  readonly #alice = this.#authority.issue({ subject: 'alice', purposes: ['clientAuth'] });
  readonly #foreign = createAuthority({ subject: 'Fuzz CA' }).issue({
    subject: 'alice',
    purposes: ['clientAuth'],
  });
  readonly #upstream = new RecordingUpstream();
  readonly #metrics = createMetrics();
  readonly #lines: Log[] = [];
  #gate: ServingProcess | null = null;
  #port = 0;
  #visits = 0;

  static async open(): Promise<House> {
    const house = new House();
    await house.#start();
    return house;
  }

  async #start(): Promise<void> {
    const port = await this.#upstream.listen();
    const server = this.#authority.issue({
      subject: 'localhost',
      altNames: [{ type: 'dns', value: 'localhost' }],
      purposes: ['serverAuth'],
    });
    const files = {
      'gatehouse.yaml': `listen_addresses: 127.0.0.1\nport: 0\nauthentication_timeout: 5s\nssl_ca_file: ca.crt\nadmin: {listen: ''}\nupstream: {host: 127.0.0.1, port: ${port}}\n`,
      'pg_hba.conf': HBA,
      'ca.crt': this.#authority.certificate,
      'server.crt': server.certificate,
      'server.key': server.key,
    };
    for (const [file, text] of Object.entries(files))
      writeFileSync(join(this.#directory, file), text, { mode: 0o600 });
    const config = new ConfigHolder(await loadSnapshot(join(this.#directory, 'gatehouse.yaml')));
    const log = createLogger('debug', { write: (line) => void this.#lines.push(JSON.parse(line)) });
    const gate = new ServingProcess({ config, log, metrics: this.#metrics });
    this.#metrics.bindGauges({
      sessions: () => gate.live.size,
      handshakesInProgress: () => gate.strangers.handshakes.size,
      upstreamUp: () => true,
      sessionsNoLongerAdmitted: () => 0,
      bannedAddresses: () => 0,
    });
    await gate.listen({ settings: config.current.settings, log });
    this.#port = gate.addresses[0]?.port ?? 0;
    this.#gate = gate;
  }

  async close(): Promise<void> {
    await this.#gate?.finish();
    await this.#upstream.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** One client's visit, from connect to close, and what must be true afterwards. */
  async visit(input: Buffer): Promise<void> {
    const draws = new Draws(input);
    const path = draws.pick(PATHS);
    const certificate = draws.pick(CERTIFICATES);
    const end = draws.pick(ENDS);
    const pattern = draws.take(3);
    this.#lines.length = 0;
    // Before a password line this upstream asks for one, or trusts: both are told by an input's last byte.
    this.#upstream.forget((input.at(-1) ?? 0) % 2 === 0);
    this.#visits++;
    await this.#play(path, certificate, end, pieces(draws.rest(), pattern));
    await this.#settled();
    this.#checkLines();
    const verified = path !== 'plain' && certificate === 'alice' ? 'alice' : null;
    for (const visit of this.#upstream.visits) checkReceived(visit, verified);
    await this.#checkMetrics();
  }

  async #play(
    path: (typeof PATHS)[number],
    certificate: (typeof CERTIFICATES)[number],
    end: (typeof ENDS)[number],
    parts: readonly Buffer[],
  ): Promise<void> {
    const raw = connect({ host: '127.0.0.1', port: this.#port, noDelay: true, allowHalfOpen: true });
    raw.on('error', () => {});
    // Not once(), which a reset would make reject: how the gate closes is no matter here.
    const closed = new Promise<void>((resolve) => raw.once('close', () => resolve()));
    await once(raw, 'connect');
    const client = path === 'plain' ? raw : await this.#startTls(raw, path, certificate);
    client?.on('data', () => {});
    for (const part of parts) {
      if (client === null || !client.writable) break;
      await new Promise<void>((resolve) => client.write(part, () => resolve()));
    }
    if (end === 'reset' || client === null) raw.resetAndDestroy();
    else client.end();
    raw.once('end', () => raw.end());
    await closed;
  }

  /** Null when the handshake has failed. */
  async #startTls(
    raw: Socket,
    path: 'tls' | 'direct',
    certificate: (typeof CERTIFICATES)[number],
  ): Promise<Socket | null> {
    if (path === 'tls') {
      raw.write(sslRequest());
      const [answer]: Buffer[] = await once(raw, 'data');
      raw.removeAllListeners('data');
      invariant(answer?.toString('latin1') === 'S', 'an SSLRequest is answered S');
    }
    const issued = { none: null, alice: this.#alice, foreign: this.#foreign }[certificate];
    const client = connectTls({
      socket: raw,
      rejectUnauthorized: false,
      ALPNProtocols: ['postgresql'],
      ...(issued === null ? {} : { cert: issued.certificate, key: issued.key }),
    });
    client.on('error', () => {});
    await new Promise<void>((resolve) => {
      client.once('secureConnect', () => resolve()).once('close', () => resolve());
    });
    return client.destroyed ? null : client;
  }

  /** The gate closes its upstream side and writes its line in the turns that follow the client's close. */
  async #settled(): Promise<void> {
    const gate = this.#gate;
    const isOver = (): boolean =>
      gate !== null &&
      gate.strangers.handshakes.size === 0 &&
      gate.live.size === 0 &&
      this.#lines.some(isEnding) &&
      this.#upstream.open === 0;
    for (let begin = performance.now(); !isOver();) {
      invariant(
        performance.now() - begin < 8_000,
        () => `the gate lets go; its lines: ${JSON.stringify(this.#lines)}`,
      );
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #checkLines(): void {
    const received = this.#lines.filter(({ msg }) => msg.startsWith('connection received: '));
    invariant(received.length === 1, 'one connection, one line at its begin');
    invariant(this.#lines.filter(isEnding).length === 1, 'and one at its end');
    invariant(
      !this.#lines.some(({ code }) => code === 'internal-error'),
      () => `no error inside: ${JSON.stringify(this.#lines)}`,
    );
    const authorized = this.#lines.some(({ msg }) => msg.startsWith('connection authorized: '));
    invariant(
      !authorized || this.#upstream.visits.length === 1,
      'who is authorized is known to the upstream',
    );
  }

  async #checkMetrics(): Promise<void> {
    if (this.#visits % 100 !== 0) return;
    const text = await this.#metrics.text();
    const outcomes = text.matchAll(/^gatehouse_connections_total\{[^}]*\} (\d+)$/gm);
    const counted = [...outcomes].reduce((sum, [, count]) => sum + Number(count), 0);
    invariant(counted === this.#visits, () => `${counted} outcomes of ${this.#visits} connections`);
  }
}

function isEnding({ code, msg }: Log): boolean {
  return code !== undefined || msg.startsWith('disconnection: ');
}

/** What reached the upstream: a cancel request with a live session's key, or a StartupMessage that a rule lets pass. */
function checkReceived({ received, early }: Visit, verified: string | null): void {
  if (received.length === 0) return;
  invariant(
    received.length >= 8 && received.readUInt32BE(0) <= received.length,
    'the upstream gets whole packets',
  );
  const length = received.readUInt32BE(0);
  const packet = received.subarray(4, length);
  invariant(packet.readInt32BE(0) === PROTOCOL_3_0, 'the upstream is asked for protocol 3.0');
  const { user = '', database = '' } = Object.fromEntries(decodeStartup(packet).pairs);
  invariant(user.length <= 63 && database.length <= 63, 'the names are those that were judged');
  invariant(mayPass(user, database, verified), () => `no rule admits ${user} to ${database}`);
  invariant(early === null || early === length, () => `${early} bytes before AuthenticationOk`);
  if (database !== 'secret') return;
  const answers = decodeMessages(received.subarray(length));
  invariant(
    answers.length <= 1 && answers.every(({ type }) => type === 'p'),
    () => `nobody has proved a password, and the upstream got ${received.toString('latin1', length)}`,
  );
}

/** One connection to the upstream. */
interface Visit {
  readonly received: Buffer;
  /** How much of it had come some turns after the startup packet, right before the upstream's first word. */
  readonly early: number | null;
}

interface Recording {
  readonly chunks: Buffer[];
  early: number | null;
}

/** Turns of the event loop that the upstream takes to make up its mind: what is sent too soon comes in these. */
const TURNS = 4;

/** Lets everybody in whom the gate sends; may ask for a password where a line wants one. Keeps what it was sent. */
class RecordingUpstream {
  readonly #server: Server = createServer((socket) => this.#serve(socket));
  readonly #sockets = new Set<Socket>();
  #visits: Recording[] = [];
  #trusts = false;

  /** What each connection since `forget` has sent. */
  get visits(): Visit[] {
    return this.#visits.map(({ chunks, early }) => ({ received: Buffer.concat(chunks), early }));
  }

  get open(): number {
    return this.#sockets.size;
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** @param trusts whether it lets in unasked where the gate's line demands a password */
  forget(trusts: boolean): void {
    this.#visits = [];
    this.#trusts = trusts;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    const visit: Recording = { chunks: [], early: null };
    this.#visits.push(visit);
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      const isFirst = visit.chunks.length === 0;
      visit.chunks.push(chunk);
      if (isFirst) void this.#answer(socket, visit, chunk.includes('secret') && !this.#trusts);
    });
  }

  async #answer(socket: Socket, visit: Recording, asks: boolean): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
    visit.early = visit.chunks.reduce((sum, { length }) => sum + length, 0);
    if (!socket.writable) return;
    if (asks) socket.write(authenticationSasl());
    else socket.write(Buffer.concat([authenticationOk(), backendKeyData(4242, KEY), readyForQuery()]));
  }
}

/** A visit on this path, with this certificate, that closes in peace. */
function seed(path: number, certificate: number, ...packets: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from([path, certificate, 0, 0, 0, 0]), ...packets]);
}

function alice(database: string): Buffer {
  return startupMessage({ user: 'alice', database });
}
