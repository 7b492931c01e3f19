// The status page as a person reads it: state, last reload, live sessions, certificates, revocation lists, rules.
// A pure function from what the gate says to markup.

import type { SessionRow } from '../../session/session-row.ts';
import { formatProblem } from '../../base/problems.ts';
import type { CertificateInUse, CrlInUse } from '../../tls/types.ts';
import type { GateStatus, Readiness, RuleRows } from '../gate-view.ts';
import { html } from './html.ts';
import type { Html, HtmlValue } from './html.ts';

/** Everything that the page shows, at one moment. */
export interface PageContent {
  readonly now: Date;
  readonly status: GateStatus;
  readonly readiness: Readiness;
  readonly sessions: readonly SessionRow[];
  readonly certificates: readonly CertificateInUse[];
  readonly crls: readonly CrlInUse[];
  readonly rules: RuleRows;
  readonly order: SessionOrder;
}

/** How the sessions are sorted. */
export interface SessionOrder {
  readonly by: string;
  readonly descending: boolean;
}

/** Longer tables are cut and say so: a page of 100,000 rows helps nobody and costs the gate its time. */
const MAX_ROWS = 1000;
const DAY_MS = 24 * 3600 * 1000;

interface SessionColumn {
  readonly key: string;
  readonly title: string;
  /** What it sorts by, and shows unless `cell` says otherwise. */
  readonly value: (row: SessionRow) => string | number;
  readonly cell?: (row: SessionRow) => HtmlValue;
}

const sessionColumns: readonly SessionColumn[] = [
  { key: 'user', title: 'User', value: (row) => row.user },
  { key: 'database', title: 'Database', value: (row) => row.database },
  { key: 'client', title: 'Client', value: clientText },
  { key: 'application', title: 'Application', value: (row) => row.application_name },
  { key: 'start', title: 'Since', value: (row) => row.backend_start, cell: sinceText },
  { key: 'tls', title: 'TLS', value: (row) => row.version ?? '', cell: tlsText },
  { key: 'dn', title: 'Certificate', value: (row) => row.client_dn ?? '' },
  {
    key: 'rule',
    title: 'Rule',
    value: ({ rule }) => `${rule.file}:${rule.line}`,
    cell: ({ rule }) => place(rule),
  },
  { key: 'in', title: 'Bytes in', value: (row) => row.bytes_in },
  { key: 'out', title: 'Bytes out', value: (row) => row.bytes_out },
  { key: 'state', title: 'State', value: (row) => row.state, cell: stateText },
];

/** The order that a query string asks for; anything unknown means by start, the newest first. */
export function readOrder(query: URLSearchParams): SessionOrder {
  const by = query.get('sort');
  if (!sessionColumns.some((column) => column.key === by) || by === null)
    return { by: 'start', descending: true };
  return { by, descending: query.get('order') === 'desc' };
}

/** The whole document. */
export function renderPage(content: PageContent): string {
  const { status, now } = content;
  return `<!doctype html>${html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>pg-gatehouse</title>
      <link rel="stylesheet" href="/status.css" />
      <script src="/status.js" defer></script>
    </head>
    <body>
      <header>
        <h1>pg-gatehouse</h1>
        ${stateLine(content)}
        <p>version ${status.version}, up since ${time(status.startedAt)}, seen at ${time(now)}</p>
      </header>
      <main>
        ${reasonList(content.readiness)} ${lastReload(status)} ${sessionTable(content)}
        ${certificateTable(content.certificates, now)} ${crlTable(content.crls, now)}
        ${ruleTable(content.rules)}
      </main>
      <dialog aria-labelledby="question">
        <p id="question"></p>
        <div>
          <button type="button" id="keep" autofocus>Keep it</button>
          <button type="button" id="end" class="bad">End it</button>
        </div>
      </dialog>
    </body>
  </html>`.toString()}`;
}

function stateLine({ status, readiness }: PageContent): Html {
  if (status.draining) return html`<p class="soon">draining</p>`;
  return readiness.ready ? html`<p class="good">ready</p>` : html`<p class="bad">not ready</p>`;
}

function reasonList({ ready, reasons }: Readiness): HtmlValue {
  if (reasons.length === 0) return null;
  const items = reasons.map((reason) => html`<li class="${ready ? 'soon' : 'bad'}">${reason}</li>`);
  return html`<ul class="problems">
    ${items}
  </ul>`;
}

function lastReload({ lastReload: reload }: GateStatus): Html {
  if (reload === null)
    return html`<h2>Last reload</h2>
      <p class="note">none since the start</p>`;
  const errors = reload.errors.map((problem) => html`<li><code>${formatProblem(problem)}</code></li>`);
  const result = reload.ok
    ? html`<span class="good">took every part</span>`
    : html`<span class="bad">failed in part</span>`;
  return html`<h2>Last reload</h2>
    <p>${time(reload.at)}: ${result}</p>
    <ul class="problems">
      ${errors}
    </ul>`;
}

function sessionTable({ sessions, order }: PageContent): Html {
  const column = sessionColumns.find(({ key }) => key === order.by);
  const sorted =
    column === undefined
      ? [...sessions]
      : sessions.toSorted((a, b) => compare(column.value(a), column.value(b)));
  if (order.descending) sorted.reverse();
  const head = sessionColumns.map((each) => sortableTitle(each, order));
  const rows = sorted.slice(0, MAX_ROWS).map(
    (row) =>
      html`<tr>
        ${sessionColumns.map((each) => cell(each.title, each.cell?.(row) ?? each.value(row)))}
        <td data-label="">
          <button
            type="button"
            disabled
            data-session="${row.id}"
            data-whose="${row.user} from ${clientText(row)}"
          >
            Terminate
          </button>
        </td>
      </tr>`,
  );
  return html`<h2 id="sessions">Live sessions (${sessions.length})</h2>
    <p class="note" id="failure" role="alert"></p>
    <noscript
      ><p class="note">
        Ending a session needs scripts, or <code>pg-gatehouse terminate ID</code>.
      </p></noscript
    >
    ${cutNote(sessions.length, '/sessions')}
    <div class="scroll">
      <table class="sessions">
        <thead>
          <tr>
            ${head}
            <th></th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>`;
}

function sortableTitle({ key, title }: SessionColumn, order: SessionOrder): Html {
  const current = key === order.by;
  const next = current && !order.descending ? 'desc' : 'asc';
  const sort = current ? (order.descending ? 'descending' : 'ascending') : 'none';
  const arrow = current ? (order.descending ? ' ▼' : ' ▲') : '';
  return html`<th class="${alignment(title)}" aria-sort="${sort}">
    <a href="/?sort=${key}&amp;order=${next}#sessions">${title}</a>${arrow}
  </th>`;
}

function certificateTable(certificates: readonly CertificateInUse[], now: Date): Html {
  const rows = certificates.map(
    (certificate) =>
      html`<tr>
        ${cell('Role', certificate.role)} ${cell('Subject', certificate.subjectDn)}
        ${cell('Issuer', certificate.issuerDn)} ${cell('Serial', certificate.serial)}
        ${cell('Expires', time(certificate.notAfter))} ${cell('Left', timeLeft(certificate.notAfter, now))}
        ${cell('File', certificate.file)}
      </tr>`,
  );
  return table('Certificates', ['Role', 'Subject', 'Issuer', 'Serial', 'Expires', 'Left', 'File'], rows);
}

function crlTable(crls: readonly CrlInUse[], now: Date): Html {
  const rows = crls.map(
    (crl) =>
      html`<tr>
        ${cell('Issuer', crl.issuerDn)} ${cell('Revoked', crl.revokedSerials.size)}
        ${cell('Next update', crl.nextUpdate === null ? 'not said' : time(crl.nextUpdate))}
        ${cell('Left', crl.nextUpdate === null ? '' : timeLeft(crl.nextUpdate, now))}
        ${cell('File', crl.file)}
      </tr>`,
  );
  return table('Revocation lists', ['Issuer', 'Revoked', 'Next update', 'Left', 'File'], rows);
}

function ruleTable(rules: RuleRows): Html {
  const rows = firstOf(rules, MAX_ROWS).map(
    (rule) =>
      html`<tr>
        ${cell('Line', place(rule))} ${cell('Rule', html`<code>${rule.rule}</code>`)}
        ${cell('Hits', rule.hits)}
      </tr>`,
  );
  return html`${table('Rules', ['Line', 'Rule', 'Hits'], rows)} ${cutNote(rules.length, '/rules')}`;
}

function firstOf<Row>(rows: Iterable<Row>, count: number): Row[] {
  const first: Row[] = [];
  for (const row of rows) {
    if (first.push(row) === count) break;
  }
  return first;
}

function table(title: string, columns: readonly string[], rows: readonly Html[]): Html {
  if (rows.length === 0)
    return html`<h2>${title}</h2>
      <p class="note">none</p>`;
  const head = columns.map((column) => html`<th class="${alignment(column)}">${column}</th>`);
  return html`<h2>${title}</h2>
    <div class="scroll">
      <table>
        <thead class="plain">
          <tr>
            ${head}
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>`;
}

const numericColumns: ReadonlySet<string> = new Set(['Bytes in', 'Bytes out', 'Revoked', 'Hits']);

function alignment(title: string): string {
  return numericColumns.has(title) ? 'number' : 'text';
}

/** `<bdi>` keeps a name in a right-to-left script from rearranging its neighbours. */
function cell(label: string, value: HtmlValue): Html {
  if (typeof value === 'number')
    return html`<td class="number" data-label="${label}">${value.toLocaleString('en')}</td>`;
  return html`<td data-label="${label}"><bdi>${value}</bdi></td>`;
}

function cutNote(length: number, all: string): HtmlValue {
  if (length <= MAX_ROWS) return null;
  return html`<p class="note">
    The first ${MAX_ROWS} of ${length} are shown; <a href="${all}">${all}</a> has all.
  </p>`;
}

/** The state, and what a reload has found against it; why when a person points at it. */
function stateText({ state, judgement, judgement_reason: why }: SessionRow): Html {
  const urgent = judgement === 'no-longer-admitted' || state === 'terminating';
  const words = judgement === 'admitted' ? state : `${state}, ${judgement}`;
  return html`<span class="${urgent ? 'bad' : 'good'}" title="${why}">${words}</span>`;
}

function clientText({ client_addr: address, client_port: port }: SessionRow): string {
  return `${address} port ${port}`;
}

function sinceText({ backend_start: start }: SessionRow): HtmlValue {
  return time(new Date(start));
}

/** The version; the cipher when a person points at it. */
function tlsText({ version, cipher }: SessionRow): Html {
  return html`<span title="${cipher}">${version ?? 'none'}</span>`;
}

function timeLeft(until: Date, now: Date): Html {
  const days = Math.floor((until.getTime() - now.getTime()) / DAY_MS);
  if (until <= now) return html`<span class="bad">expired</span>`;
  const urgency = days < 7 ? 'bad' : days < 30 ? 'soon' : 'good';
  return html`<span class="${urgency}">${days === 1 ? '1 day' : `${days} days`}</span>`;
}

function time(at: Date): HtmlValue {
  if (Number.isNaN(at.getTime())) return null;
  const iso = at.toISOString();
  return html`<time datetime="${iso}"
    ><span class="whole">${iso.slice(0, 10)}</span> ${iso.slice(11, 19)} UTC</time
  >`;
}

/** A line's file by its last name; the whole path when a person points at it. */
function place({ file, line }: { readonly file: string; readonly line: number }): Html {
  return html`<span class="whole" title="${file}">${file.slice(file.lastIndexOf('/') + 1)}:${line}</span>`;
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return a < b ? -1 : a > b ? 1 : 0;
}
