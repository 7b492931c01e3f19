// Ends sessions from the page, with or without scripts: a form names them, a second one asks, and the answer is the page
// again with what has become of each.

import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { FullSessionRow } from '../../session/session-row.ts';
import type { Answer, Question } from '../answering.ts';
import type { GateView } from '../gate-view.ts';
import { html, visible, type Html, type HtmlValue } from './html.ts';
import { document } from './page.ts';
import { addressOf, readQuery, ROWS_A_PAGE } from './session-list.ts';
import { counted, endPoint } from './words.ts';

/** Results that wait for the page that shows them. */
const MAX_RESULTS = 20;

const KEY_BYTES = 16;

interface EndResult {
  readonly ended: number;
  /** Had ended by themselves, or were ended by somebody else. */
  readonly gone: number;
}

/** The forms of one listener. */
export class EndForms {
  /**
   * SECURITY: a form has to bring this back, and only a page of ours has it. The headers of a request tell foreign pages
   * apart too (guard.ts), as far as the browser sends them.
   */
  readonly token = newKey();
  readonly #view: GateView;
  readonly #results = new Map<string, EndResult>();

  constructor(view: GateView) {
    this.#view = view;
  }

  /** What the last form has done, for the page that its answer leads to; null = nothing is known of it. */
  notice(key: string | null): HtmlValue {
    const result = key === null ? undefined : this.#results.get(key);
    if (result === undefined) return null;
    const { ended, gone } = result;
    if (ended + gone === 0) return 'No session was selected.';
    const words = ended === 0 ? null : `${counted(ended, 'session')} ${ended === 1 ? 'was' : 'were'} ended.`;
    const late = gone === 0 ? null : `${counted(gone, 'session')} had ended already.`;
    return [words, ' ', late];
  }

  /** POST /sessions/end. */
  async receive({ body }: Question): Promise<Answer> {
    const form = new URLSearchParams(body.toString('utf8'));
    const back = ownAddress(form.get('back'));
    if (!this.#isOurs(form.get('token'))) return page(stalePage(back), 403);
    const only = form.get('only');
    const ids = new Set(only === null ? form.getAll('session').slice(0, ROWS_A_PAGE) : [only]);
    if (ids.size > 0 && form.get('confirmed') !== 'yes') {
      const rows = (await this.#view.fullSessions()).filter(({ id }) => ids.has(id));
      return page(questionPage(rows, [...ids], { token: this.token, back }));
    }
    const answers = await Promise.all([...ids].map(async (id) => await this.#view.terminate(id)));
    const ended = answers.filter(Boolean).length;
    const key = this.#keep({ ended, gone: answers.length - ended });
    return { ...page('', 303), location: `${back}${back.includes('?') ? '&' : '?'}done=${key}` };
  }

  #isOurs(token: string | null): boolean {
    const [theirs, ours] = [Buffer.from(token ?? ''), Buffer.from(this.token)];
    return theirs.length === ours.length && timingSafeEqual(theirs, ours);
  }

  #keep(result: EndResult): string {
    const key = newKey();
    this.#results.set(key, result);
    const [oldest] = this.#results.keys();
    if (this.#results.size > MAX_RESULTS && oldest !== undefined) this.#results.delete(oldest);
    return key;
  }
}

function page(body: string, status = 200): Answer {
  return { status, type: 'text/html; charset=utf-8', body };
}

function newKey(): string {
  return randomBytes(KEY_BYTES).toString('hex');
}

/** SECURITY: only ever an address of the page itself, made anew from what could be read of it. */
function ownAddress(text: string | null): string {
  const [, query = ''] = (text ?? '').split('?', 2);
  const read = readQuery(new URLSearchParams(query));
  return addressOf(read, { page: read.page, open: read.open });
}

/** Asks before anything ends. */
function questionPage(
  rows: readonly FullSessionRow[],
  ids: readonly string[],
  { token, back }: { readonly token: string; readonly back: string },
): string {
  const question = `End ${counted(ids.length, 'session')}?`;
  const gone = ids.length - rows.length;
  return document(
    question,
    html`<main class="question">
      <h1>${question}</h1>
      <ul>
        ${rows.map((row) => html`<li>${who(row)}</li>`)}
        ${gone === 0 ? null : html`<li class="muted">${counted(gone, 'session')} that have ended already</li>`}
      </ul>
      <form method="post" action="/sessions/end">
        <input type="hidden" name="token" value="${token}" />
        <input type="hidden" name="back" value="${back}" />
        <input type="hidden" name="confirmed" value="yes" />
        ${ids.map((id) => html`<input type="hidden" name="session" value="${id}" />`)}
        <p class="choice">
          <a class="button" href="${back}">Keep</a> <button type="submit" class="danger">End</button>
        </p>
      </form>
    </main>`,
  );
}

function who({ id, user, database, client_addr: address, client_port: port }: FullSessionRow): Html {
  return html`${visible(user)} on ${visible(database)} from ${endPoint(address, port)}
    <span class="muted">(${id})</span>`;
}

/** The form came from a page that an earlier start of the gate has sent, or from somewhere else. */
function stalePage(back: string): string {
  return document(
    'Nothing was ended',
    html`<main class="question">
      <h1>Nothing was ended</h1>
      <p>The page is from before the gate's last start. Look at it again, and then choose.</p>
      <p class="choice"><a class="button" href="${back}">Look again</a></p>
    </main>`,
  );
}
