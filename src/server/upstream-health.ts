// Whether the upstream answers. Its result is reused for some seconds, so that frequent probes of /readyz do not become
// frequent connections to the upstream.

import type { Dialer, DialSettings } from '../session/dial.ts';
import { upstreamAnswers } from '../session/probe.ts';

/** How long a result is reused, in milliseconds. */
const STANDS_FOR_MS = 5_000;

/** Longest wait of one probe, in milliseconds; connect_timeout where that is shorter. */
const PROBE_TIMEOUT_MS = 3_000;

/** The upstream's health, probed on demand. */
export class UpstreamHealth {
  readonly #dialer: Dialer;
  #last: { readonly at: number; readonly up: boolean } | null = null;
  #running: Promise<boolean> | null = null;

  constructor(dialer: Dialer) {
    this.#dialer = dialer;
  }

  /** The last result. Null = not probed yet. */
  get last(): boolean | null {
    return this.#last?.up ?? null;
  }

  /** The last result while it is fresh, else a new one. Never rejects. */
  async check(settings: DialSettings): Promise<boolean> {
    if (this.#last !== null && performance.now() - this.#last.at < STANDS_FOR_MS) return this.#last.up;
    const timeoutMs = Math.min(PROBE_TIMEOUT_MS, settings.upstream.connect_timeout);
    this.#running ??= upstreamAnswers(this.#dialer, settings, timeoutMs)
      .catch(() => false)
      .then((up) => {
        this.#last = { at: performance.now(), up };
        this.#running = null;
        return up;
      });
    return await this.#running;
  }
}
