// The TLS side alone, for its tests: settings without a YAML file, and an acceptor behind a real port.

import type { TlsSettings, TlsSource } from '../../../src/tls/settings.ts';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { GatehouseError } from '../../../src/base/errors.ts';
import { LoadError, type Problem } from '../../../src/base/problems.ts';
import { SourceReader } from '../../../src/base/sources.ts';
import { TlsHosts } from '../../../src/tls/hosts.ts';
import { loadTls } from '../../../src/tls/load-tls.ts';
import {
  loadRevocationLists,
  revocationFor,
  type RevocationSettings,
} from '../../../src/tls/material/revocation-lists.ts';
import { TlsAcceptor } from '../../../src/tls/tls-acceptor.ts';
import type { TlsMaterial, TlsSession } from '../../../src/tls/types.ts';
import type { Credentials, TestAuthority } from './certificates.ts';
import { atEnd, type Scope } from '../run/scope.ts';
import { Arrivals, within } from '../run/waiting.ts';

/** The contract's defaults, for this server certificate. */
export function tlsSettings(
  server: Pick<Credentials, 'certFile' | 'keyFile'>,
  overrides: Partial<TlsSettings> = {},
): TlsSettings {
  return {
    ssl_cert_file: server.certFile,
    ssl_key_file: server.keyFile,
    ssl_ca_file: '',
    ssl_crl_file: '',
    ssl_crl_dir: '',
    ssl_ciphers: 'HIGH:MEDIUM:+3DES:!aNULL',
    ssl_tls13_ciphers: '',
    ssl_prefer_server_ciphers: true,
    ssl_groups: 'X25519:prime256v1',
    ssl_min_protocol_version: 'TLSv1.2',
    ssl_max_protocol_version: '',
    ssl_dh_params_file: '',
    ssl_passphrase_command: '',
    ssl_passphrase_command_supports_reload: false,
    ...overrides,
  };
}

/** Where the settings of these tests are said to stand. */
export const YAML_FILE = '/etc/gatehouse.yaml';

export interface LoadOptions {
  readonly reload?: boolean;
  /** Lines of the YAML file on which keys stand; the others are defaults. */
  readonly lines?: Readonly<Record<string, number>>;
  /** Lists what is read. */
  readonly reader?: SourceReader;
  /** Of a dry run. */
  readonly passphrases?: readonly string[];
}

export async function loadMaterial(
  tls: TlsSettings,
  { reload = false, lines = {}, reader = new SourceReader(), passphrases }: LoadOptions = {},
): Promise<TlsMaterial> {
  return loadTls({ ...tls, ...yamlLines(lines) }, { reload, reader, passphrases });
}

function yamlLines(lines: Readonly<Record<string, number>>): Pick<TlsSource, 'file' | 'placeOf'> {
  return {
    file: YAML_FILE,
    placeOf: (key) => {
      const line = lines[key];
      return line === undefined
        ? { source: 'default', file: YAML_FILE, line: null }
        : { source: 'configuration file', file: YAML_FILE, line };
    },
  };
}

/** The revocation lists alone. */
export async function loadLists(
  tls: Partial<Pick<TlsSettings, 'ssl_crl_file' | 'ssl_crl_dir'>>,
  { lines = {}, reader = new SourceReader() }: LoadOptions = {},
): Promise<RevocationSettings> {
  const settings = tlsSettings({ certFile: '', keyFile: '' }, tls);
  return revocationFor(await loadRevocationLists({ ...settings, ...yamlLines(lines) }, reader), []);
}

/** The one problem for which loading is refused. */
export async function loadingProblem(tls: TlsSettings, options?: LoadOptions): Promise<Problem> {
  const [problem, ...others] = await loadingProblems(tls, options);
  if (problem === undefined || others.length > 0) throw new Error(`${others.length + 1} problems`);
  return problem;
}

/** All problems for which loading is refused, in the order they are told. */
export async function loadingProblems(tls: TlsSettings, options?: LoadOptions): Promise<readonly Problem[]> {
  try {
    await loadMaterial(tls, options);
  } catch (error) {
    if (error instanceof LoadError) return error.problems;
    throw error;
  }
  throw new Error('it loaded');
}

/** How one connection's handshake ended on the server's side. */
export type Outcome = { readonly session: TlsSession } | { readonly session: null; readonly error: unknown };

/** A listening port whose connections are handed to an acceptor; gone when the test is. */
export class TlsGate {
  readonly port: number;
  readonly outcomes = new Arrivals<Outcome>();
  readonly #seen = { count: 0 };

  constructor(port: number) {
    this.port = port;
  }

  /** The end of the next handshake that has not been asked for yet. */
  async outcome(): Promise<Outcome> {
    const from = this.#seen.count;
    this.#seen.count += 1;
    return this.outcomes.next(() => true, 'the end of a handshake', { from });
  }

  /** The next handshake's session. */
  async session(): Promise<TlsSession> {
    const outcome = await this.outcome();
    if (outcome.session === null) throw outcome.error;
    return outcome.session;
  }

  /** The next handshake's error. */
  async failure(): Promise<GatehouseError> {
    const outcome = await this.outcome();
    if (outcome.session !== null) throw new Error('the handshake succeeded');
    if (outcome.error instanceof GatehouseError) return outcome.error;
    throw outcome.error;
  }
}

export interface GateOptions {
  readonly signal?: AbortSignal;
  /** Runs on every raw connection before the acceptor gets it. */
  readonly before?: (raw: Socket) => Promise<void>;
}

export async function startTlsGate(
  t: Scope,
  served: TlsMaterial | TlsHosts,
  { signal = new AbortController().signal, before }: GateOptions = {},
): Promise<TlsGate> {
  const acceptor = new TlsAcceptor(served instanceof TlsHosts ? served : forEveryone(served));
  const raws = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (raw) => {
    raws.add(raw);
    void (async () => {
      try {
        await before?.(raw);
        gate.outcomes.push({ session: (await acceptor.accept(raw, { signal })).session });
      } catch (error) {
        gate.outcomes.push({ session: null, error });
      }
    })();
  });
  const gate = new TlsGate(await listen(t, server));
  // Registered later, so done earlier: the server's close waits for its connections.
  atEnd(t, () => {
    for (const raw of raws) raw.destroy();
  });
  return gate;
}

/** One certificate, whatever name a client sends. */
export function forEveryone(material: TlsMaterial): TlsHosts {
  return new TlsHosts(false, [
    { names: { kind: 'default' }, label: null, certFile: '', caFile: '', material },
  ]);
}

/** Makes a server listen on loopback until the test is over; its port. */
export async function listen(t: Scope, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, async () => {
    server.close();
    await once(server, 'close');
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP');
  return address.port;
}

/** What a TLS record begins with: type, version, length. */
const RECORD_HEADER = 5;

/** The first record that Node's client, which is OpenSSL, sends. */
export async function capturedClientHello(t: Scope, options: ConnectionOptions = {}): Promise<Buffer> {
  const server = createServer();
  const client = new TlsClient(t, { port: await listen(t, server) }, options);
  const raw = await new Promise<Socket>((resolve) => server.once('connection', resolve));
  let hello = Buffer.alloc(0);
  // TCP keeps no boundaries: the record's own length says when it is whole.
  while (hello.length < RECORD_HEADER || hello.length < RECORD_HEADER + hello.readUInt16BE(3)) {
    const [chunk]: Buffer[] = await once(raw, 'data');
    hello = Buffer.concat([hello, chunk ?? Buffer.alloc(0)]);
  }
  raw.destroy();
  client.socket.destroy();
  return hello;
}

/** Settings with a CA, loaded, behind a port. */
export async function gateOf(
  t: Scope,
  authority: TestAuthority,
  overrides: Partial<TlsSettings> = {},
): Promise<TlsGate> {
  const tls = tlsSettings(authority.server(), { ssl_ca_file: authority.caFile, ...overrides });
  return startTlsGate(t, await loadMaterial(tls));
}

/** A TLS client that trusts nobody and tolerates everybody; gone when the test is. Its errors are kept in `errors`. */
export class TlsClient {
  readonly socket: TLSSocket;
  readonly errors: Error[] = [];
  readonly #secured: Promise<void>;

  constructor(t: Scope, gate: Pick<TlsGate, 'port'>, options: ConnectionOptions = {}) {
    this.socket = connect({ host: '127.0.0.1', port: gate.port, rejectUnauthorized: false, ...options });
    this.socket.on('error', (error) => this.errors.push(error));
    this.#secured = new Promise((resolve) => this.socket.once('secureConnect', resolve));
    atEnd(t, () => this.socket.destroy());
  }

  /** The client's side of the handshake is done. */
  async secured(): Promise<this> {
    await within(this.#secured, 'the client to see the handshake done');
    return this;
  }

  /** The connection is gone; with the error, if any, that the client was left with. */
  async closed(): Promise<Error | null> {
    if (!this.socket.closed) {
      this.socket.resume();
      await within(
        new Promise((resolve) => this.socket.once('close', resolve)),
        'the client to see the connection closed',
      );
    }
    return this.errors[0] ?? null;
  }
}

/** Client options that present a certificate. */
export function presenting(credentials: Pick<Credentials, 'cert' | 'key'>): ConnectionOptions {
  return { cert: credentials.cert, key: credentials.key };
}
