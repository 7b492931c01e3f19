// The status page as a person reads it: from what the gate says, at one moment, to markup. Pure.

import type { FullSessionRow } from '../../session/session-row.ts';
import type { RefusalRow } from '../../telemetry/refusals.ts';
import type { RuleRows } from '../gate-view.ts';
import { pageHead, type HeadContent } from './head.ts';
import { html, type Html, type HtmlValue } from './html.ts';
import { refusalSection } from './refusals.ts';
import { addressOf, listSessions, type ListQuery } from './session-list.ts';
import { sessionSection } from './session-table.ts';
import { certificateSection, listSection, ruleSection } from './tables.ts';

/** Everything that the page shows. */
export interface PageContent extends HeadContent {
  readonly sessions: readonly FullSessionRow[];
  readonly rules: RuleRows;
  readonly refusals: readonly RefusalRow[];
  readonly query: ListQuery;
  /** What a form has to bring back. */
  readonly token: string;
  /** What the person has just done; empty = nothing. */
  readonly notice: HtmlValue;
}

const sections = [
  ['refusals', 'Refused'],
  ['sessions', 'Sessions'],
  ['certificates', 'Certificates'],
  ['lists', 'Revocation lists'],
  ['rules', 'Rules'],
] as const;

/**
 * The whole page, piece by piece. A piece takes a few milliseconds to make at most, so the sender can yield to sessions
 * between two pieces.
 */
export function* pagePieces(content: PageContent): Generator<string> {
  const { now, query, token, sessions } = content;
  yield beginning('pg-gatehouse');
  yield pageHead(content, addressOf(query, { page: query.page, open: query.open })).toString();
  yield html`<nav class="jump" aria-label="Sections">
    ${sections.map(([id, title]) => html`<a href="#${id}">${title}</a> `)}
  </nav>`.toString();
  yield html`<main id="main"><p id="notice" role="status">${content.notice}</p></main>`.toString();
  yield refusalSection(content.refusals, now).toString();
  const listed = listSessions(sessions, query, now);
  yield '';
  yield sessionSection(listed, { query, token, now, total: sessions.length }).toString();
  yield certificateSection(content.certificates, now).toString();
  yield listSection(content.crls, now).toString();
  yield ruleSection(content.rules).toString();
  yield html`</main>
    <dialog aria-labelledby="question" data-own="">
      <p id="question"></p>
      <div>
        <button type="button" id="keep">Keep</button>
        <button type="button" id="end" class="danger">End</button>
      </div>
    </dialog>`.toString();
  yield END;
}

/** A page of the admin listener: its own stylesheet and script, and nothing from elsewhere. */
export function document(title: string, body: Html): string {
  return `${beginning(title)}${body.toString()}${END}`;
}

function beginning(title: string): string {
  return `<!doctype html><html lang="en">${html`<head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${title}</title>
    <link rel="stylesheet" href="/status.css" />
    <script src="/status.js" defer></script>
  </head>`.toString()}<body>`;
}

const END = '</body></html>';
