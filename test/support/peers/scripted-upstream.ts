// The one thing that tests fake: the server behind the gate. It records what it gets and plays a script, which is
// an ordinary async function per connection, so that every rudeness of a server can be written down as it happens.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { ByteChannel } from './byte-channel.ts';
import {
  authenticationCleartextPassword,
  authenticationOk,
  backendKeyData,
  CANCEL_REQUEST_CODE,
  decodeStartup,
  GSSENC_REQUEST_CODE,
  parameterStatus,
  readyForQuery,
  SSL_REQUEST_CODE,
  sslRequest,
} from './messages.ts';
import { portOf } from '../run/free-port.ts';
import { atEnd, type Scope } from '../run/scope.ts';
import { temporaryDirectory } from '../run/temporary.ts';
import { Arrivals } from '../run/waiting.ts';

export * from './messages.ts';

export interface Startup {
  readonly version: number;
  /** In the order in which they came. */
  readonly pairs: readonly (readonly [string, string])[];
  /** By name; of a repeated one the last. */
  readonly parameters: Readonly<Record<string, string>>;
}

const DEFAULT_KEY = Buffer.from('0badcafe', 'hex');

/** One accepted connection, as its script sees it. */
export class UpstreamConnection extends ByteChannel {
  /** 0 for the first connection. */
  readonly index: number;
  readonly #script = Promise.withResolvers<void>();

  constructor(socket: Socket, index: number) {
    super(socket);
    this.index = index;
  }

  /** Resolves when the script has returned; rejects with what it threw. */
  get played(): Promise<void> {
    return this.#script.promise;
  }

  /**
   * Reads the StartupMessage. A health probe is answered as a server without TLS answers it; then the script ends.
   *
   * @throws Error when something else came
   */
  async readStartup(): Promise<Startup> {
    const body = await this.readPacket();
    const code = body.readInt32BE(0);
    if (code === SSL_REQUEST_CODE) await this.#answerProbe();
    if ([SSL_REQUEST_CODE, GSSENC_REQUEST_CODE, CANCEL_REQUEST_CODE].includes(code)) {
      throw new Error(`the upstream got request ${code} where a StartupMessage was expected`);
    }
    const { version, pairs } = decodeStartup(body);
    return { version, pairs, parameters: Object.fromEntries(pairs) };
  }

  /** A probe ends after the answer. Only a gate that wants TLS with its upstream would go on. */
  async #answerProbe(): Promise<void> {
    await this.send(Buffer.from('N'));
    await this.expectClosed();
    this.halfClose();
  }

  /** Reads a CancelRequest. @throws Error when something else came. */
  async readCancelRequest(): Promise<{ readonly pid: number; readonly key: Buffer }> {
    const body = await this.readPacket();
    if (body.readInt32BE(0) !== CANCEL_REQUEST_CODE) throw new Error('the upstream got no CancelRequest');
    return { pid: body.readInt32BE(4), key: body.subarray(8) };
  }

  /** AuthenticationOk, a few parameters, the key, ReadyForQuery: what a server sends that trusts. */
  async acceptLogin({
    pid = 4242,
    key = DEFAULT_KEY,
  }: { pid?: number; key?: Uint8Array } = {}): Promise<void> {
    await this.send(
      authenticationOk(),
      parameterStatus('server_version', '10.23'),
      parameterStatus('client_encoding', 'UTF8'),
      backendKeyData(pid, key),
      readyForQuery(),
    );
  }

  /** Sends each byte in a segment of its own. */
  async dribble(bytes: Uint8Array): Promise<void> {
    await this.sendByteByByte(bytes);
  }

  /** Does nothing until the other end gives up, however long that takes. It may have given up already. */
  async stall(): Promise<void> {
    await this.hasClosed;
  }

  /** Waits for n more bytes, then closes. */
  async closeAfter(n: number): Promise<void> {
    if (n > 0) await this.read(n);
    this.halfClose();
  }

  /** Ends the connection with a TCP reset (a Unix socket is just closed). */
  reset(): void {
    if (this.socket.remoteAddress === undefined) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  /** Runs the script; its failure is kept for `played`. */
  play(script: Script): void {
    // A script that ends because the other end went away is how most of them end.
    this.#script.promise.catch(() => undefined);
    void Promise.resolve(script(this)).then(this.#script.resolve, this.#script.reject);
  }
}

/** Whether a connection's bytes are the whole of a health probe: an SSLRequest, or nothing yet. */
export function isProbe(received: Uint8Array): boolean {
  return sslRequest().subarray(0, received.length).equals(received);
}

/** What the upstream does with a connection. When it returns, the connection stays as it is. */
export type Script = (connection: UpstreamConnection) => void | Promise<void>;

/** Scripts that tests ask for again and again. */
export const scripts = {
  /** Lets the client in, only records what it sends, and closes when the client has: as a server would. */
  trust: async (connection: UpstreamConnection) => {
    await connection.readStartup();
    await connection.acceptLogin();
    await connection.stall();
    connection.halfClose();
  },
  /** Asks for a password in clear, takes any, and lets the client in. */
  password: async (connection: UpstreamConnection) => {
    await connection.readStartup();
    await connection.send(authenticationCleartextPassword());
    await connection.readMessage();
    await connection.acceptLogin();
    await connection.stall();
  },
  /** Accepts and never says a word. */
  stall: (connection: UpstreamConnection) => connection.stall(),
  /** Closes at once. */
  close: (connection: UpstreamConnection) => connection.halfClose(),
  reset: (connection: UpstreamConnection) => connection.reset(),
} satisfies Record<string, Script>;

export interface ScriptedUpstreamOptions {
  /** Listen on a Unix socket instead of 127.0.0.1; `host` is then its directory. */
  readonly unix?: boolean;
  /** Listen there instead of on a port of 127.0.0.1 that the kernel chooses. */
  readonly place?: { readonly host: string; readonly port: number };
}

export class ScriptedUpstream {
  /** The address, or the Unix socket's directory: as it goes into the gate's `upstream.host`. */
  readonly host: string;
  readonly port: number;
  readonly #arrivals: Arrivals<UpstreamConnection>;
  #next = 0;

  constructor(host: string, port: number, arrivals: Arrivals<UpstreamConnection>) {
    this.host = host;
    this.port = port;
    this.#arrivals = arrivals;
  }

  /** Every connection so far. */
  get connections(): readonly UpstreamConnection[] {
    return this.#arrivals.items;
  }

  /** What each connection sent, in the order of the connections. */
  get received(): readonly Buffer[] {
    return this.connections.map(({ received }) => received);
  }

  /** The first connection that this has not given out yet: come already, or yet to come. */
  async nextConnection(): Promise<UpstreamConnection> {
    const index = this.#next;
    this.#next += 1;
    return this.#arrivals.next((connection) => connection.index === index, `upstream connection ${index}`);
  }
}

/** Listens, and plays the script on every connection until the test is over. */
export async function scriptedUpstream(
  t: Scope,
  script: Script,
  { unix = false, place = { host: '127.0.0.1', port: 0 } }: ScriptedUpstreamOptions = {},
): Promise<ScriptedUpstream> {
  const arrivals = new Arrivals<UpstreamConnection>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = new UpstreamConnection(socket, arrivals.items.length);
    arrivals.push(connection);
    connection.play(script);
  });
  const directory = unix ? temporaryDirectory(t) : null;
  const backlog = 4096;
  if (directory === null) server.listen({ ...place, backlog });
  else server.listen({ path: join(directory, '.s.PGSQL.5432'), backlog });
  await once(server, 'listening');
  atEnd(t, async () => {
    for (const connection of arrivals.items) connection.destroy();
    server.close();
    await once(server, 'close');
  });
  return directory === null
    ? new ScriptedUpstream(place.host, portOf(server), arrivals)
    : new ScriptedUpstream(directory, 5432, arrivals);
}
