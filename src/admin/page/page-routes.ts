// The status page's three addresses: the page itself, its stylesheet and its script.

import type { FastifyInstance } from 'fastify';
import type { GateView } from '../gate-view.ts';
import { script, stylesheet } from './page-assets.ts';
import { readOrder, renderPage } from './page.ts';

/** GET / for people (`?sort=COLUMN&order=asc|desc` sorts the sessions), with what it needs from the same origin. */
export function addPage(app: FastifyInstance, view: GateView): void {
  app.get('/', async (request, reply) => {
    const [status, readiness, sessions, { certificates, crls }, rules] = await Promise.all([
      view.status(),
      view.readiness(),
      view.sessions(),
      view.certificates(),
      view.rules(),
    ]);
    const [, query] = request.url.split('?', 2);
    const order = readOrder(new URLSearchParams(query));
    const page = { now: new Date(), status, readiness, sessions, certificates, crls, rules, order };
    return reply.type('text/html; charset=utf-8').send(renderPage(page));
  });

  app.get('/status.css', async (_request, reply) => reply.type('text/css; charset=utf-8').send(stylesheet));

  app.get('/status.js', async (_request, reply) => reply.type('text/javascript; charset=utf-8').send(script));
}
