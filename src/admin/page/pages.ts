// What the status page's addresses answer.

import { Readable } from 'node:stream';
import type { Answer, Question } from '../answering.ts';
import type { GateView } from '../gate-view.ts';
import { EndForms } from './end-sessions.ts';
import { renderErrors } from './errors-page.ts';
import { nextTurn } from '../../base/slices.ts';
import { pagePieces, type PageContent } from './page.ts';
import { script } from './script.ts';
import { readQuery } from './session-list.ts';
import { stylesheet } from './stylesheet.ts';

/** The page of one listener. */
export class Pages {
  readonly #view: GateView;
  readonly #forms: EndForms;

  constructor(view: GateView) {
    this.#view = view;
    this.#forms = new EndForms(view);
  }

  /** GET /. */
  async status({ query }: Question): Promise<Answer> {
    const [status, overview, readiness, sessions, { certificates, crls }, rules, refusals] =
      await Promise.all([
        this.#view.status(),
        this.#view.overview(),
        this.#view.readiness(),
        this.#view.fullSessions(),
        this.#view.certificates(),
        this.#view.rules(),
        this.#view.refusals(),
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
      token: this.#forms.token,
      notice: this.#forms.notice(query.get('done')),
    });
    return { type: 'text/html; charset=utf-8', body: Readable.from(page, { objectMode: false }) };
  }

  errors(): Answer {
    return { type: 'text/html; charset=utf-8', body: renderErrors() };
  }

  stylesheet(): Answer {
    return { type: 'text/css; charset=utf-8', body: stylesheet };
  }

  script(): Answer {
    return { type: 'text/javascript; charset=utf-8', body: script };
  }

  /** POST /sessions/end. */
  async end(question: Question): Promise<Answer> {
    return await this.#forms.receive(question);
  }
}

/** SECURITY: a page of thousands of sessions, asked for by each browser again and again, holds no session up. */
async function* inTurns(content: PageContent): AsyncGenerator<string> {
  for (const piece of pagePieces(content)) {
    if (piece !== '') yield piece;
    await nextTurn();
  }
}
