// The server's side of TLS handshakes with one certificate: from a raw socket and its first bytes to a session that knows
// its client, or to the words for what went wrong.

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { GatehouseError } from '../../base/errors.ts';
import { presentedChain } from '../judge/presented-chain.ts';
import { shareContextOf } from '../material/shared-context.ts';
import type { ServerName, TlsMaterial, TlsSession } from '../types.ts';
import { secretBits } from './cipher-bits.ts';
import { certificateFailure, clientCertificate } from './client-certificate.ts';
import { decodeClientHello } from './client-hello.ts';
import { handshakeFailure } from './handshake-failure.ts';

/**
 * The most plaintext in one TLS record towards a client, in bytes: PostgreSQL's own limit (contract §7.37). libpq reads
 * what fits into its buffer and then waits in select(). What is left of a longer record lies decrypted inside OpenSSL,
 * where select() does not see it, and the client waits for good.
 */
const MAX_RECORD_BYTES = 8192;

/** What a handshake begins with. */
export interface Opening {
  /** The connection's first bytes, which the socket still holds. */
  readonly bytes: Uint8Array;
  readonly serverName: ServerName;
}

/** A handshake under way. */
interface Handshake {
  readonly opening: Opening;
  /** What the raw socket was made with, for the TLS socket to inherit. */
  readonly allowHalfOpen: boolean;
  readonly resolve: (session: TlsSession) => void;
  readonly reject: (reason: unknown) => void;
}

/** By material: a reload that leaves a host's files alone goes on with the server that it has. */
const servers = new WeakMap<TlsMaterial, HandshakeServer>();

/** The one server of a material. Making it has OpenSSL read the revocation lists, which may take a while. */
export function serverOf(material: TlsMaterial): HandshakeServer {
  let server = servers.get(material);
  if (server === undefined) {
    server = new HandshakeServer(material);
    servers.set(material, server);
  }
  return server;
}

export class HandshakeServer {
  readonly #material: TlsMaterial;
  /**
   * Never listens. SECURITY: a TLSSocket made without a tls.Server verifies no client certificate, whatever its
   * options say. It has one context and no SNICallback, so no name leads to another certificate or CA than this one.
   */
  readonly #server: Server;
  /** By address pair: all that links the TLS socket that a tls.Server reports to the raw one it was given. */
  readonly #handshakes = new Map<string, Handshake>();
  /** By raw socket, for the TLS sockets that have no address pair any more. */
  readonly #byRaw = new WeakMap<object, Handshake>();

  constructor(material: TlsMaterial) {
    this.#material = material;
    this.#server = createServer(material.options);
    shareContextOf(this.#server, material.options);
    // Node keeps the texts of the lists for setSecureContext(), which is never called here. A session keeps its server.
    Reflect.set(this.#server, 'crl', undefined);
    HandshakeServer.#listen(this.#server, new WeakRef(this));
  }

  /**
   * Hands Node's events to their owner, which a waiting handshake keeps alive. A session keeps Node's server as long as it
   * lasts: were the owner held strongly, the certificates and lists of an old state would last as long.
   */
  static #listen(server: Server, weakOwner: WeakRef<HandshakeServer>): void {
    server.on('secureConnection', (socket) => {
      // Node only reports what goes wrong with an established session, a forged record for one; nothing would be read
      // of it any more, and it would never close.
      socket.on('error', destroyThis);
      const owner = weakOwner.deref();
      if (owner === undefined) socket.destroy();
      else owner.#onSecure(socket);
    });
    server.on('tlsClientError', (error, socket) => {
      const owner = weakOwner.deref();
      if (owner !== undefined) owner.#onError(error, socket);
    });
  }

  /**
   * Runs the server's side of a handshake.
   *
   * @param raw a TCP connection, paused, with `opening` unread. It belongs to the session's socket when it succeeds.
   * @param signal ends the handshake; its reason is what is then thrown
   * @throws GatehouseError `tls-…`, with what the client offered in its fields (semantics §2.10)
   */
  async handshake(raw: Socket, opening: Opening, signal: AbortSignal): Promise<TlsSession> {
    const addresses = addressPair(raw);
    const { promise, resolve, reject } = Promise.withResolvers<TlsSession>();
    const handshake: Handshake = { opening, allowHalfOpen: raw.allowHalfOpen, resolve, reject };
    const onEnd = (): void => reject(this.#failure(null, opening));
    const onAbort = (): void => reject(signal.reason);
    raw.on('close', onEnd);
    signal.addEventListener('abort', onAbort);
    try {
      signal.throwIfAborted();
      if (addresses === null) onEnd();
      else {
        // The same pair twice: the earlier connection is dead, its client has reset it and come again.
        const earlier = this.#handshakes.get(addresses);
        earlier?.reject(this.#failure(null, earlier.opening));
        this.#handshakes.set(addresses, handshake);
        this.#byRaw.set(raw, handshake);
        // Half-open, a client that left in the middle of the handshake would be waited for. Now its end is a 'close'.
        raw.allowHalfOpen = false;
        this.#server.emit('connection', raw);
      }
      return await promise;
    } finally {
      raw.off('close', onEnd);
      signal.removeEventListener('abort', onAbort);
      if (addresses !== null && this.#handshakes.get(addresses) === handshake)
        this.#handshakes.delete(addresses);
      // The raw socket lives on under the session, which need not carry its ClientHello to the end.
      this.#byRaw.delete(raw);
    }
  }

  /** Everything the session's owner must not miss is settled here, before the socket's next event. */
  #onSecure(socket: TLSSocket): void {
    const handshake = this.#handshakeOf(socket);
    if (handshake === undefined) {
      socket.destroy();
      return;
    }
    socket.pause();
    socket.allowHalfOpen = handshake.allowHalfOpen;
    try {
      if (!socket.setMaxSendFragment(MAX_RECORD_BYTES))
        throw new GatehouseError('internal-error', {
          message: 'OpenSSL does not take the size of a TLS record',
        });
      handshake.resolve(sessionOf(socket, handshake.opening, this.#material));
    } catch (error) {
      handshake.reject(error);
    }
  }

  #onError(error: Error, socket: TLSSocket): void {
    const handshake = this.#handshakeOf(socket);
    // Where it is not found the raw socket's end says that it is over, though not why.
    handshake?.reject(
      certificateFailure(error, socket, handshake.opening.bytes, this.#material) ??
        this.#failure(error, handshake.opening),
    );
  }

  #failure(error: Error | null, { bytes }: Opening): GatehouseError {
    return handshakeFailure(error, bytes, this.#material);
  }

  #handshakeOf(socket: TLSSocket): Handshake | undefined {
    const addresses = addressPair(socket);
    if (addresses !== null) return this.#handshakes.get(addresses);
    // A client that does not trust us may send its alert and a reset in one go. Node keeps the raw socket in a property
    // that it does not document, so no more than the reason in the log depends on it.
    const raw: unknown = Reflect.get(socket, '_parent');
    return typeof raw === 'object' && raw !== null ? this.#byRaw.get(raw) : undefined;
  }
}

function destroyThis(this: Socket): void {
  this.destroy();
}

/** Null once the connection has been reset. */
function addressPair({ remoteAddress, remotePort, localAddress, localPort }: Socket): string | null {
  if (remoteAddress === undefined || remotePort === undefined) return null;
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function sessionOf(socket: TLSSocket, { bytes, serverName }: Opening, material: TlsMaterial): TlsSession {
  const { name, standardName } = socket.getCipher();
  const leaf = socket.getPeerX509Certificate();
  const certificate = clientCertificate(socket, leaf, material);
  return {
    socket,
    certificate,
    chain: leaf === undefined || certificate.state !== 'verified' ? null : presentedChain(leaf),
    version: socket.getProtocol() ?? 'unknown',
    cipher: name,
    bits: secretBits(standardName),
    alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : null,
    serverName,
    hello: () => decodeClientHello(bytes),
  };
}
