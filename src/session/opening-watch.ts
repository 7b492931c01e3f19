// What strangers cost before they have proved anything: bytes below TLS, and the thread's processor time. Node has no
// hook around the part of a TLS handshake that costs, no limit on the length of a chain and none on KeyUpdates, so both
// are measured from outside: a clock that ticks while anybody is in the opening, and the bytes that each has sent.

import { GatehouseError } from '../base/errors.ts';
import { Debts, MAX_COST_MS } from './debts.ts';
import type { EndSignal } from './end-signal.ts';

/** How often the clock ticks, in milliseconds. */
const TICK_MS = 10;

/**
 * Less processor time than this between two looks, in milliseconds, is what a few ordinary handshakes cost: it is not
 * charged.
 */
const ORDINARY_MS = 10;

/** What a handshake may cost, in milliseconds, for its address to be allowed more of them at one time. */
const USUAL_MS = 50;

/**
 * The most that one sent byte can cost, in milliseconds: twice what RSA-3072 keys with exponents of 3,072 bits cost on
 * a slow machine. Without this limit, work of the gate in the same tick would be charged to a client of ordinary size.
 */
const MAX_COST_PER_BYTE_MS = 0.04;

/**
 * Bytes below TLS that one step of an opening may take: a ClientHello of 128 KiB and the 100 KiB to which OpenSSL
 * limits a chain. Where a step takes a packet alone, it may take less.
 */
const MAX_STEP_BYTES = 256 * 1024;
export const MAX_PACKET_STEP_BYTES = 64 * 1024;

interface Opening {
  readonly life: EndSignal;
  /** Whom its cost is charged to; null = nobody. */
  address: string | null;
  /** Bytes received so far, below TLS. */
  readonly received: () => number;
  /** `received()` at the last tick. */
  seen: number;
  /** `received()` at the last step. */
  stepAt: number;
  maxStepBytes: number;
  costMs: number;
  /** Its handshake is over. What it is charged after that ends it alone. */
  established: boolean;
}

export interface OpeningWatchOptions {
  /** What addresses owe, where another process may tell of it too. */
  readonly debts?: Debts | undefined;
  /** Called when an address has been charged, so that other processes can know it too. */
  readonly onCharge?: ((address: string, ms: number) => void) | undefined;
  /** Processor time of this thread, in milliseconds. */
  readonly processorMs?: () => number;
}

/** All openings of a process, and what they cost. */
export class OpeningWatch {
  readonly #openings = new Map<EndSignal, Opening>();
  readonly #debts: Debts;
  readonly #onCharge: (address: string, ms: number) => void;
  readonly #processorMs: () => number;
  #lastMs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor({
    debts = new Debts(),
    onCharge = () => {},
    processorMs = threadProcessorMs,
  }: OpeningWatchOptions = {}) {
    this.#debts = debts;
    this.#onCharge = onCharge;
    this.#processorMs = processorMs;
  }

  /** Whether connections of this address are refused as soon as they are accepted, loopback included. */
  refuses(address: string): boolean {
    return this.#debts.refuses(address);
  }

  /** Watches a connection until `end`. @param address whom its cost is charged to; null = nobody */
  begin(life: EndSignal, address: string | null, received: () => number, established = false): void {
    const seen = received();
    this.#openings.set(life, {
      life,
      address,
      received,
      seen,
      stepAt: seen,
      maxStepBytes: MAX_STEP_BYTES,
      costMs: 0,
      established,
    });
    // The clock may go on from an earlier opening. What was spent since its last tick is not this one's.
    if (this.#openings.size === 1) this.#lastMs = this.#processorMs();
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** From here on its cost is this address's, what it has cost so far too. */
  charge(life: EndSignal, address: string): void {
    const opening = this.#openings.get(life);
    if (opening !== undefined) opening.address = address;
  }

  /** Notes that a step of the opening is done. The next one may take `maxStepBytes`. */
  step(life: EndSignal, maxStepBytes = MAX_STEP_BYTES): void {
    const opening = this.#openings.get(life);
    if (opening === undefined) return;
    opening.stepAt = opening.received();
    opening.maxStepBytes = maxStepBytes;
  }

  /**
   * Notes that the handshake is over. That is where it costs, so it is measured at once, before the next socket is
   * read.
   *
   * @param failed its certificate does not verify
   * @returns whether it has cost at most what is usual
   */
  handshakeDone(life: EndSignal, failed: boolean): boolean {
    this.#look();
    const opening = this.#openings.get(life);
    if (opening === undefined) return true;
    opening.established = true;
    const isUsual = opening.costMs <= USUAL_MS;
    if (failed) this.#charge(opening);
    return isUsual;
  }

  /** Forgets a connection. One that has failed is charged for what it has cost. */
  end(life: EndSignal, failed: boolean): void {
    const opening = this.#openings.get(life);
    if (opening === undefined) return;
    this.#look();
    if (failed) this.#charge(opening);
    this.#openings.delete(life);
  }

  #tick(): void {
    if (this.#openings.size === 0) {
      this.#stop();
      return;
    }
    this.#look();
    this.#lastMs = this.#processorMs();
    for (const opening of this.#openings.values()) {
      opening.seen = opening.received();
      // SECURITY: KeyUpdates are not data. Nothing else limits how many of them a client sends, and each is answered.
      if (opening.seen - opening.stepAt > opening.maxStepBytes) {
        this.#charge(opening);
        opening.life.end(new GatehouseError('opening-too-large'));
      }
    }
  }

  /** Not at the end of the last opening: the next one is often less than a tick away. */
  #stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /**
   * Charges the time since the last look to those who have sent something in it, in proportion to all that they have
   * sent.
   */
  #look(): void {
    const spentMs = this.#processorMs() - this.#lastMs;
    if (spentMs < ORDINARY_MS) return;
    this.#lastMs += spentMs;
    const active = [...this.#openings.values()].filter((opening) => opening.received() > opening.seen);
    const bytes = active.reduce((sum, opening) => sum + opening.received(), 0);
    for (const opening of active) {
      opening.seen = opening.received();
      const share = (spentMs * opening.seen) / bytes;
      opening.costMs += Math.min(share, opening.seen * MAX_COST_PER_BYTE_MS);
    }
    // SECURITY: an opening that costs that much alone has failed. Otherwise one that is kept unfinished would pay
    // nothing.
    for (const opening of active) {
      if (opening.costMs <= MAX_COST_MS) continue;
      this.#charge(opening);
      opening.life.end(tooExpensive());
    }
  }

  #charge(opening: Opening): void {
    const { address, costMs } = opening;
    opening.costMs = 0;
    if (costMs === 0 || address === null) return;
    this.#debts.charge(address, costMs);
    this.#onCharge(address, costMs);
    if (!this.refuses(address)) return;
    // SECURITY: ends the address's other handshakes too. They would cost as much, one after the other.
    for (const other of this.#openings.values())
      if (other !== opening && other.address === address && !other.established)
        other.life.end(tooExpensive());
  }
}

/** The refusal of an address, which is told nothing. */
export function tooExpensive(): GatehouseError {
  return new GatehouseError('handshake-too-expensive');
}

function threadProcessorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
