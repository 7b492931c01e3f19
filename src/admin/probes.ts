// What probes and Prometheus ask: /metrics, /healthz and /readyz, at the admin listener and at admin.status_listen.

import { json, type Routes } from './answering.ts';
import type { GateView } from './gate-view.ts';

/** A scrape answers every request of this long, in milliseconds; none of Prometheus's intervals is shorter. */
const SCRAPE_FOR_MS = 1_000;

/**
 * Adds the three routes. HEAD comes with each GET.
 *
 * @param reader who may read what they answer
 */
export function addProbes(routes: Routes, view: GateView, reader: 'operators' | 'anybody'): void {
  // SECURITY: strangers may reach the status listener, and a scrape is the one thing there that costs more than a glance.
  const scrape = reader === 'anybody' ? shared(() => view.metricsText()) : () => view.metricsText();

  routes.get('/metrics', async () => {
    const { contentType, body } = await scrape();
    return { type: contentType, body };
  });

  routes.get('/healthz', async () => {
    const { alive, reasons } = await view.health();
    return json({ ok: alive, ...(reasons.length === 0 ? {} : { reasons }) }, alive ? 200 : 503);
  });

  routes.get('/readyz', async () => {
    const { ready, reasons } = await view.readiness(reader);
    return json({ ready, reasons }, ready ? 200 : 503);
  });
}

/** Requests within SCRAPE_FOR_MS share one answer. A failure goes to those who wait for it, and is not kept. */
function shared<T>(ask: () => Promise<T>): () => Promise<T> {
  let latest: { readonly answer: Promise<T>; readonly at: number } | null = null;
  return async () => {
    const now = performance.now();
    if (latest === null || now - latest.at > SCRAPE_FOR_MS) {
      const asked = { answer: ask(), at: now };
      asked.answer.catch(() => {
        if (latest === asked) latest = null;
      });
      latest = asked;
    }
    return await latest.answer;
  };
}
