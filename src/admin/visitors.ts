// The connections of the admin listener. There is a limit; the oldest silent one gives way to a new one. Under TLS an
// address may spend only so much processor time on failed handshakes, as on the database's port.

import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { ByteReader } from '../base/byte-reader.ts';
import { GatehouseError } from '../base/errors.ts';
import { addressBlock, clientAddress } from '../rules/address.ts';
import { EndSignal } from '../session/end-signal.ts';
import { OpeningWatch } from '../session/opening-watch.ts';
import { Turns } from '../session/turns.ts';
import { peekOpeningBytes } from '../tls/handshake/opening-bytes.ts';

interface Visitor {
  readonly raw: Socket;
  readonly life: EndSignal;
  /** What its address counts with. */
  readonly block: string;
  /** It has shown a certificate, or sent a request in clear. */
  proven: boolean;
}

export interface VisitorsOptions {
  /** The most connections that may be open together. */
  readonly limit: number;
  readonly isTls: boolean;
  /** Whether a connection that has asked something keeps its place while others come. */
  readonly keepsProven: boolean;
  /** How long a client may take before its TLS handshake begins; what comes after has limits of Node's. */
  readonly helloTimeoutMs: number;
}

/** Every connection of the admin listener. */
export class Visitors {
  readonly #limit: number;
  readonly #isTls: boolean;
  readonly #keepsProven: boolean;
  readonly #helloTimeoutMs: number;
  /** By `key`, the oldest first. */
  readonly #visitors = new Map<string | Socket, Visitor>();
  readonly #watch = new OpeningWatch();
  readonly #turns = new Turns();

  constructor(server: Server, { limit, isTls, keepsProven, helloTimeoutMs }: VisitorsOptions) {
    this.#limit = limit;
    this.#isTls = isTls;
    this.#keepsProven = keepsProven;
    this.#helloTimeoutMs = helloTimeoutMs;
    // Node's own listeners, which begin HTTP or TLS, get a connection once it may go on.
    const begin = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (raw: Socket) => {
      void this.#receive(raw, () => {
        for (const listener of begin) listener.call(server, raw);
      });
    });
    server.on('secureConnection', (socket: Socket) => this.#established(socket));
    server.on('request', ({ socket }) => this.#prove(socket));
  }

  /** Closes every connection, answered or not. */
  destroyAll(): void {
    for (const { raw } of this.#visitors.values()) raw.destroy();
  }

  async #receive(raw: Socket, begin: () => void): Promise<void> {
    raw.on('error', () => {});
    const block = blockOf(raw);
    if (!this.#makeRoom() || this.#watch.refuses(block)) {
      raw.destroy();
      return;
    }
    const visitor: Visitor = { raw, block, life: new EndSignal(), proven: false };
    const { life } = visitor;
    this.#visitors.set(keyOf(raw), visitor);
    const key = keyOf(raw);
    life.signal.addEventListener('abort', () => raw.destroy());
    raw.once('close', () => {
      this.#visitors.delete(key);
      // A handshake that went well has counted when it was over.
      this.#turns.done(life, block, visitor.proven ? null : false);
      this.#watch.end(life, this.#isTls && !visitor.proven);
      life.end(new GatehouseError('no-startup-packet'));
    });
    if (!this.#isTls) {
      begin();
      return;
    }
    this.#watch.begin(life, block, () => raw.bytesRead);
    life.endAfter(this.#helloTimeoutMs, () => new GatehouseError('authentication-timeout'));
    try {
      await peekOpeningBytes(new ByteReader(raw, life.signal));
      await this.#turns.take(life, block);
      life.clear();
      if (!raw.destroyed) begin();
    } catch {
      raw.destroy();
    }
  }

  /**
   * SECURITY: the oldest that has proved nothing gives way, or a few silent ones shut everybody out. Where a request proves
   * nothing the oldest of all does: a few that do not read their answers would do the same.
   */
  #makeRoom(): boolean {
    if (this.#visitors.size < this.#limit) return true;
    for (const [key, { raw, proven }] of this.#visitors) {
      if (proven && this.#keepsProven) continue;
      this.#visitors.delete(key);
      raw.destroy();
      return true;
    }
    return false;
  }

  #established(socket: Socket): void {
    const visitor = this.#visitors.get(keyOf(socket));
    if (visitor === undefined) return;
    // Who has no certificate that verifies does not get this far.
    visitor.proven = true;
    const isUsual = this.#watch.handshakeDone(visitor.life, false);
    this.#turns.done(visitor.life, visitor.block, isUsual);
  }

  #prove(socket: Socket): void {
    const visitor = this.#visitors.get(keyOf(socket));
    if (visitor === undefined) return;
    visitor.proven = true;
    this.#watch.end(visitor.life, false);
  }
}

/** What a TLS socket and the TCP socket under it have in common; over a Unix socket, which has no addresses, itself. */
function keyOf(socket: Socket): string | Socket {
  const { remoteAddress, remotePort, localPort } = socket;
  return remotePort === undefined ? socket : `${remoteAddress} ${remotePort} ${localPort}`;
}

function blockOf({ remoteAddress = '' }: Socket): string {
  const client = clientAddress(remoteAddress);
  return client === null ? remoteAddress : addressBlock(client.address);
}
