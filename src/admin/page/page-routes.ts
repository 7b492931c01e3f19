// The status page's addresses: the page itself, its stylesheet and script, what its codes mean, and its forms.

import { Readable } from 'node:stream';
import type { Routes } from '../answering.ts';
import type { GateView } from '../gate-view.ts';
import { EndForms } from './end-sessions.ts';
import { renderErrors } from './errors-page.ts';
import { nextTurn } from '../../base/slices.ts';
import { pagePieces, type PageContent } from './page.ts';
import { script } from './script.ts';
import { readQuery } from './session-list.ts';
import { stylesheet } from './stylesheet.ts';

/** GET / for people, with what it needs from the same origin. */
export function addPage(routes: Routes, view: GateView): void {
  const forms = new EndForms(view);
  forms.addTo(routes);

  routes.get('/', async ({ query }) => {
    const [status, overview, readiness, sessions, { certificates, crls }, rules, refusals] =
      await Promise.all([
        view.status(),
        view.overview(),
        view.readiness(),
        view.fullSessions(),
        view.certificates(),
        view.rules(),
        view.refusals(),
      ]);
    const page = inTurns({
      now: new Date(),
      status,
      overview,
      readiness,
      certificates,
      crls,
      rules,
      refusals,
      sessions: sessions.filter((session) => !session.is_console),
      query: readQuery(query),
      token: forms.token,
      notice: forms.notice(query.get('done')),
    });
    return { type: 'text/html; charset=utf-8', body: Readable.from(page, { objectMode: false }) };
  });

  routes.get('/errors', () => ({ type: 'text/html; charset=utf-8', body: renderErrors() }));

  routes.get('/status.css', () => ({ type: 'text/css; charset=utf-8', body: stylesheet }));

  routes.get('/status.js', () => ({ type: 'text/javascript; charset=utf-8', body: script }));
}

/** SECURITY: a page of thousands of sessions, asked for by each browser again and again, holds no session up. */
async function* inTurns(content: PageContent): AsyncGenerator<string> {
  for (const piece of pagePieces(content)) {
    if (piece !== '') yield piece;
    await nextTurn();
  }
}
