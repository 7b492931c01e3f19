// Connections that have yet to prove themselves, from accept until they are sessions: how many there may be, what they
// may cost, and how many of one address may be in a TLS handshake at one time.

import type { Accepted } from '../tls/tls-acceptor.ts';
import type { TlsSession } from '../tls/types.ts';
import type { Debts } from './debts.ts';
import type { EndSignal } from './end-signal.ts';
import { Handshakes } from './handshakes.ts';
import { MAX_PACKET_STEP_BYTES, OpeningWatch, tooExpensive } from './opening-watch.ts';
import { Turns } from './turns.ts';

export interface StrangersOptions {
  /** The number of connections has changed. */
  readonly onHandshakes?: (() => void) | undefined;
  /** What addresses owe for failed openings, where other processes tell of it too. */
  readonly debts?: Debts | undefined;
  /** An address has been charged for a failed opening. */
  readonly onCharge?: ((address: string, ms: number) => void) | undefined;
}

/** All strangers of one process. */
export class Strangers {
  readonly handshakes: Handshakes;
  readonly watch: OpeningWatch;
  readonly #turns = new Turns();

  constructor({ onHandshakes, debts, onCharge }: StrangersOptions = {}) {
    this.handshakes = new Handshakes(onHandshakes);
    this.watch = new OpeningWatch({ debts, onCharge });
  }

  /**
   * Takes in a connection that was just accepted, or one that is a stranger again.
   *
   * @param from `block`: the addresses that share a limit with its own. `chargedTo`: the address that pays for its cost;
   *   null = the cost is not charged. `tls`: what its handshake has shown; null = it has made none
   * @param received bytes that have come so far, below TLS
   * @param limit max_handshakes
   * @throws GatehouseError `handshake-too-expensive`
   */
  enter(
    life: EndSignal,
    {
      block,
      chargedTo,
      tls = null,
    }: { readonly block: string; readonly chargedTo: string | null; readonly tls?: TlsSession | null },
    received: () => number,
    limit: number,
  ): void {
    if (chargedTo !== null && this.watch.refuses(chargedTo)) throw tooExpensive();
    this.handshakes.enter(life, limit, block, tls?.certificate.state === 'verified');
    this.watch.begin(life, chargedTo, received, tls !== null);
  }

  /**
   * Notes the client's address, which a load balancer has declared: from here on it counts in place of the balancer's.
   *
   * @throws GatehouseError `handshake-too-expensive`
   */
  declared(life: EndSignal, block: string): void {
    this.handshakes.regroup(life, block);
    this.watch.charge(life, block);
    if (this.watch.refuses(block)) throw tooExpensive();
  }

  /** Notes that a packet of the opening has come. */
  progress(life: EndSignal): void {
    this.handshakes.progress(life);
    this.watch.step(life);
  }

  /** Notes that the startup packet has come. The rules and the upstream are next: nothing waits for the client. */
  working(life: EndSignal): void {
    this.handshakes.progress(life, { turn: 'gate' });
    this.watch.step(life);
  }

  /** Notes that the client has answered a password request: its answer waits for its turn, or for the verdict. */
  answered(life: EndSignal): void {
    this.handshakes.progress(life, { turn: 'verdict' });
    this.watch.step(life);
  }

  /** Notes that nothing is left to do for the connection: it makes room before any that may yet be let in. */
  over(life: EndSignal): void {
    this.handshakes.progress(life, { turn: 'over' });
  }

  /**
   * Runs a TLS handshake when its address has a turn.
   *
   * @param accept calls `ready` once the ClientHello is there, and goes on when that has resolved
   * @throws what `accept` throws, or the life's reason
   */
  async handshake(
    life: EndSignal,
    block: string,
    accept: (ready: () => Promise<void>) => Promise<Accepted>,
  ): Promise<Accepted> {
    let isUsual: boolean | null = null;
    try {
      const accepted = await accept(async () => {
        await this.#turns.take(life, block);
        this.handshakes.progress(life);
      });
      const { state } = accepted.session.certificate;
      isUsual = this.watch.handshakeDone(life, state === 'unverified');
      this.watch.step(life, MAX_PACKET_STEP_BYTES);
      this.handshakes.progress(life, { proven: state === 'verified' });
      return accepted;
    } finally {
      this.#turns.done(life, block, isUsual);
    }
  }

  /** Notes that the connection is a session now, or over. Does nothing where it is not known. */
  leave(life: EndSignal, { failed }: { readonly failed: boolean }): void {
    this.handshakes.leave(life);
    this.watch.end(life, failed);
  }
}
