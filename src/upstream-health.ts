// Whether the upstream answers: a connect, looked at again at most every few seconds, however often somebody asks.
// Never a StartupMessage: it would fill the server's log (contract §7.15).

import { connect } from 'node:net';
import type { UpstreamSettings } from './config/settings.ts';
import { upstreamAddress } from './session/upstream-address.ts';

/** How long a result stands, in milliseconds. */
const STANDS_FOR_MS = 5_000;

/** Longest wait of one probe, in milliseconds; connect_timeout where that is shorter. */
const PROBE_TIMEOUT_MS = 3_000;

/** The upstream's health, probed on demand. */
export class UpstreamHealth {
  #last: { readonly at: number; readonly up: boolean } | null = null;
  #running: Promise<boolean> | null = null;

  /** The last result; null = nobody has asked yet. */
  get last(): boolean | null {
    return this.#last?.up ?? null;
  }

  /** The last result where it still stands, else a new one. Never rejects. */
  async check(settings: UpstreamSettings): Promise<boolean> {
    if (this.#last !== null && performance.now() - this.#last.at < STANDS_FOR_MS) return this.#last.up;
    this.#running ??= probe(settings).then((up) => {
      this.#last = { at: performance.now(), up };
      this.#running = null;
      return up;
    });
    return await this.#running;
  }
}

async function probe(settings: UpstreamSettings): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const socket = connect(upstreamAddress(settings));
    socket.setTimeout(Math.min(PROBE_TIMEOUT_MS, settings.connectTimeoutMs), () => socket.destroy());
    let up = false;
    socket.on('connect', () => {
      up = true;
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(up));
  });
}
