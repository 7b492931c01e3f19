// The live sessions: one line each where there is room, a card each on a phone. Without scripts its forms filter, sort,
// open a session's details and ask for its end.

import type { FullSessionRow } from '../../session/session-row.ts';
import { html, visible, type Html, type HtmlValue } from './html.ts';
import {
  addressOf,
  lifeOf,
  ROWS_A_PAGE,
  type ListedSessions,
  type ListQuery,
  type SortKey,
} from './session-list.ts';
import { ago, bytes, count, counted, endPoint, fact, moment, place, timeLeft } from './words.ts';

interface Column {
  readonly key: SortKey;
  readonly title: string;
  /** `wide` and `widest` columns stand where the window has room for them; `details` has them all. */
  readonly room?: 'wide' | 'widest';
  readonly isNumber?: boolean;
  readonly cell: (row: FullSessionRow, now: Date) => HtmlValue;
  /** Shown whole when a person points at a cell that is cut. */
  readonly whole?: (row: FullSessionRow) => string;
}

const columns: readonly Column[] = [
  { key: 'user', title: 'User', cell: ({ user }) => visible(user), whole: ({ user }) => user },
  {
    key: 'database',
    title: 'Database',
    cell: (row) => (row.database === '' ? 'replication' : visible(row.database)),
    whole: ({ database }) => database,
  },
  {
    key: 'client',
    title: 'Client',
    cell: (row) => html`${addressIn(row)}<span class="port">:${row.client_port}</span>`,
    whole: clientOf,
  },
  {
    key: 'application',
    title: 'Application',
    room: 'wide',
    cell: (row) => visible(row.application_name),
    whole: (row) => row.application_name,
  },
  {
    key: 'certificate',
    title: 'Certificate',
    cell: certificateCell,
    whole: ({ client_dn: name }) => name ?? '',
  },
  { key: 'rule', title: 'Rule', room: 'wide', cell: ({ rule }) => place(rule) },
  {
    key: 'age',
    title: 'Age',
    isNumber: true,
    cell: (row, now) => ago(new Date(row.backend_start), now),
  },
  { key: 'in', title: 'In', room: 'widest', isNumber: true, cell: (row) => bytes(row.bytes_in) },
  { key: 'out', title: 'Out', room: 'widest', isNumber: true, cell: (row) => bytes(row.bytes_out) },
  { key: 'state', title: 'State', cell: stateOf, whole: ({ judgement_reason: why }) => why ?? '' },
];

/** Sorted by these, rows change places at a refresh, and none of them is something to hold on to. */
const movesRows: ReadonlySet<SortKey> = new Set(['in', 'out', 'state']);

/** The whole section. */
export function sessionSection(
  listed: ListedSessions,
  { query, token, now, total }: { query: ListQuery; token: string; now: Date; total: number },
): Html {
  return html`<section aria-labelledby="sessions">
    <h2 id="sessions">Sessions <span class="count">${count(total)}</span></h2>
    ${total === 0 ? html`<p class="empty" id="no-sessions">Nobody is connected.</p>` : filters(listed, query)}
    ${total === 0 ? null : endForm(listed, query, token, now)}
  </section>`;
}

function filters(listed: ListedSessions, query: ListQuery): Html {
  const chips = listed.groups.map(({ key, title, count: members }) => {
    const current = key === query.group ? html` aria-current="true"` : null;
    return html`<a class="chip" id="show-${key}" href="${addressOf(query, { group: key })}" ${current}
      >${title} <span>${count(members)}</span></a
    >`;
  });
  const options = columns.map(({ key, title }) => {
    const chosen = key === query.sort ? html` selected` : null;
    return html`<option value="${key}" ${chosen}>${title}</option>`;
  });
  const orders = [
    { value: 'asc', words: 'ascending', isChosen: !query.descending },
    { value: 'desc', words: 'descending', isChosen: query.descending },
  ].map(({ value, words, isChosen }) => {
    const chosen = isChosen ? html` selected` : null;
    return html`<option value="${value}" ${chosen}>${words}</option>`;
  });
  return html`<form class="filters" id="filters" method="get" action="/" role="search">
    <label
      ><span class="unseen">Filter sessions</span>
      <input
        type="search"
        name="q"
        id="q"
        value="${query.text}"
        placeholder="Filter: user, address, certificate …"
        autocomplete="off"
    /></label>
    <label class="narrow"
      >Sort by
      <select name="sort">
        ${options}
      </select></label
    >
    <label class="narrow"
      ><span class="unseen">Order</span>
      <select name="order">
        ${orders}
      </select></label
    >
    <input type="hidden" name="show" value="${query.group}" />
    <button type="submit">Filter</button>
    <nav class="chips" aria-label="Groups of sessions">${chips}</nav>
  </form>`;
}

function endForm(listed: ListedSessions, query: ListQuery, token: string, now: Date): Html {
  const rows = listed.rows.map((row) => [
    sessionRow(row, query, now),
    row.id === query.open ? detailsRow(row, query, now) : null,
  ]);
  const none = html`<p class="empty" id="none-fits">
    No session fits. <a href="/#sessions">Show all sessions</a>
  </p>`;
  return html`<form class="end" id="end-form" method="post" action="/sessions/end">
    <input type="hidden" name="token" value="${token}" />
    <input type="hidden" name="back" value="${addressOf(query, { page: query.page, open: query.open })}" />
    <div class="bar">
      <p id="found">${found(listed)}</p>
      ${pager(listed, query)}
      <button type="submit" id="end-selected" class="danger" data-own="">End selected</button>
    </div>
    ${listed.rows.length === 0 ? none : table(rows, query)}
  </form>`;
}

function found({ rows, found: all, page, pages }: ListedSessions): string {
  if (pages === 1) return counted(all, 'session');
  const first = (page - 1) * ROWS_A_PAGE + 1;
  return `${count(first)} to ${count(first + rows.length - 1)} of ${counted(all, 'session')}`;
}

function pager({ page, pages }: ListedSessions, query: ListQuery): HtmlValue {
  if (pages === 1) return null;
  const link = (to: number, id: string, words: string): Html =>
    to < 1 || to > pages
      ? html`<span class="off">${words}</span>`
      : html`<a id="${id}" href="${addressOf(query, { page: to })}">${words}</a>`;
  return html`<nav class="pager" aria-label="Pages of sessions">
    ${link(page - 1, 'previous', 'Previous')}
    <span>${page} of ${pages}</span> ${link(page + 1, 'next', 'Next')}
  </nav>`;
}

function table(rows: HtmlValue, query: ListQuery): Html {
  return html`<table
    class="sessions"
    id="session-table"
    data-order="${movesRows.has(query.sort) ? 'moving' : 'steady'}"
    role="table"
    aria-labelledby="sessions"
  >
    <thead role="rowgroup">
      <tr role="row">
        <th role="columnheader" class="check">
          <input type="checkbox" id="select-all" aria-label="Select all sessions shown" data-own="" hidden />
        </th>
        ${heading('id', 'Id', query, 'id')}
        ${columns.map((each) => heading(each.key, each.title, query, classOf(each)))}
        <th role="columnheader" class="act"><span class="unseen">End</span></th>
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows}
    </tbody>
  </table>`;
}

function classOf({ key, room, isNumber }: Column): string {
  return [key, room, isNumber === true ? 'number' : null].filter(Boolean).join(' ');
}

function heading(key: SortKey, words: string, query: ListQuery, style: string): Html {
  const isCurrent = key === query.sort;
  const sort = isCurrent ? (query.descending ? 'descending' : 'ascending') : 'none';
  const address = addressOf(query, { sort: key, descending: isCurrent && !query.descending });
  const arrow = isCurrent ? html`<span aria-hidden="true">${query.descending ? '↓' : '↑'}</span>` : null;
  return html`<th role="columnheader" class="${style}" aria-sort="${sort}">
    <a id="sort-${key}" href="${address}#sessions">${words}</a>${arrow}
  </th>`;
}

function sessionRow(row: FullSessionRow, query: ListQuery, now: Date): Html {
  const whose = `${row.user} from ${clientOf(row)}`;
  const isOpen = row.id === query.open;
  const details = addressOf(query, { page: query.page, open: isOpen ? '' : row.id });
  const cells = columns.map((column) => {
    const whole = column.whole?.(row) ?? '';
    return html`<td role="cell" class="${classOf(column)}" title="${whole}">${column.cell(row, now)}</td>`;
  });
  return html`<tr role="row" id="s-${row.id}" class="${isOpen ? 'opened' : 'closed'}">
    <td role="cell" class="check">
      <input
        type="checkbox"
        name="session"
        value="${row.id}"
        id="c-${row.id}"
        aria-label="Select the session of ${whose}"
      />
    </td>
    <td role="cell" class="id" title="${row.id}">
      <a id="o-${row.id}" href="${details}#s-${row.id}" aria-expanded="${isOpen ? 'true' : 'false'}"
        >${shortId(row.id)}</a
      >
    </td>
    ${cells}
    <td role="cell" class="act">
      <button
        type="submit"
        name="only"
        value="${row.id}"
        id="e-${row.id}"
        data-whose="${whose}"
        aria-label="End the session of ${whose}"
      >
        End
      </button>
    </td>
  </tr>`;
}

/** Everything that is known of one session, below its row. */
function detailsRow(row: FullSessionRow, query: ListQuery, now: Date): Html {
  const { certificate, proxy_addr: proxy, proxy_port: proxyPort } = row;
  return html`<tr role="row" id="d-${row.id}" class="details">
    <td role="cell" colspan="${columns.filter(({ room }) => room === undefined).length + 3}">
      <dl class="facts">
        ${fact('Id', row.id)} ${fact('User', visible(row.user))} ${fact('Database', visible(row.database))}
        ${fact('Client', clientOf(row))}
        ${fact('Through the proxy', proxy === null ? null : endPoint(proxy, proxyPort ?? 0))}
        ${fact('Application', row.application_name === '' ? null : visible(row.application_name))}
        ${fact('Connected', moment(new Date(row.backend_start)))} ${fact('State', stateOf(row))}
        ${fact('Why', row.judgement_reason)} ${fact('Rule', `${row.rule.file}:${row.rule.line}`)}
        ${fact('TLS', row.version === null ? 'none' : `${row.version}, ${row.cipher ?? ''}, ${row.bits ?? 0} bits`)}
        ${fact('Certificate', row.client_dn === null ? null : visible(row.client_dn))}
        ${fact('Issuer', row.issuer_dn === null ? null : visible(row.issuer_dn))}
        ${fact('Serial number', row.client_serial)}
        ${fact('Certificate ends', certificate === null ? null : [moment(new Date(certificate.not_after)), ', left: ', timeLeft(lifeOf(certificate), now)])}
        ${fact('From the client', bytes(row.bytes_in))} ${fact('To the client', bytes(row.bytes_out))}
        ${fact('Upstream process', row.upstream_pid)}
      </dl>
      <p><a id="close-details" href="${addressOf(query, { page: query.page })}#s-${row.id}">Close</a></p>
    </td>
    ${columns.flatMap(({ room }) => (room === undefined ? [] : html`<td role="cell" class="${room}"></td>`))}
  </tr>`;
}

/** `4711-dkfpbehglaij-17` as `4711-…-17`: what is between is the same for all sessions of a process. */
function shortId(id: string): HtmlValue {
  const [first = '', ...others] = id.split('-');
  return others.length < 2 ? id : html`<span class="process">${first}-</span>…-${others.at(-1)}`;
}

function clientOf({ client_addr: address, client_port: port }: FullSessionRow): string {
  return endPoint(address, port);
}

/** As `endPoint` begins. */
function addressIn({ client_addr: address }: FullSessionRow): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** The subject and what is left of the certificate; no certificate, and no TLS, are said. */
function certificateCell({ version, client_dn: name, certificate }: FullSessionRow, now: Date): HtmlValue {
  if (version === null) return html`<span class="muted">no TLS</span>`;
  if (name === null || certificate === null) return html`<span class="muted">none</span>`;
  const [, first = name, rest = ''] = /^(?:CN=)?((?:[^,\\]|\\.)*)(.*)$/s.exec(name) ?? [];
  return html`<span class="cert"
    ><span class="name">${visible(first)}<span class="rest">${visible(rest)}</span></span>
    ${timeLeft(lifeOf(certificate), now)}</span
  >`;
}

/** Colour stands where something is wrong or about to happen, and nowhere else. */
function stateOf({ state, judgement }: FullSessionRow): Html {
  if (state === 'terminating') return html`<span class="soon">ending</span>`;
  if (judgement === 'no-longer-admitted') return html`<span class="bad">no longer admitted</span>`;
  if (judgement === 'not-judged') return html`<span class="soon">${state}, not judged</span>`;
  if (state === 'idle in transaction') return html`<span class="plain">in transaction</span>`;
  if (state === 'idle in transaction (aborted)') return html`<span class="soon">transaction failed</span>`;
  return html`<span class="${state === 'idle' ? 'muted' : 'plain'}">${state}</span>`;
}
