// The connections that were refused last, the newest first: code, who, from where, by which line, and why.

import type { RefusalRow } from '../../telemetry/refusals.ts';
import { html, Html, visible, type HtmlValue } from './html.ts';
import { ago, count, endPoint } from './words.ts';

/** This many stand open; the others wait for a click. */
const SHOWN = 5;

/** @param refusals the newest first */
export function refusalSection(refusals: readonly RefusalRow[], now: Date): Html {
  const older = refusals.slice(SHOWN);
  const body =
    refusals.length === 0
      ? html`<p class="empty" id="no-refusals">Nobody was refused since the start.</p>`
      : table('newest-refusals', refusals.slice(0, SHOWN), now);
  const more = html`<details id="older-refusals">
    <summary>${count(older.length)} older</summary>
    ${table('other-refusals', older, now)}
  </details>`;
  return html`<section aria-labelledby="refusals">
    <h2 id="refusals">Refused lately <span class="count">${count(refusals.length)}</span></h2>
    ${body} ${older.length === 0 ? null : more}
  </section>`;
}

function table(id: string, rows: readonly RefusalRow[], now: Date): Html {
  return html`<table class="refusals" id="${id}" role="table">
    <thead role="rowgroup">
      <tr role="row">
        <th role="columnheader" class="number">Ago</th>
        <th role="columnheader">Code</th>
        <th role="columnheader">Client</th>
        <th role="columnheader">User</th>
        <th role="columnheader">Database</th>
        <th role="columnheader">Rule</th>
        <th role="columnheader" class="why">Why</th>
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map((row) => refusal(row, now))}
    </tbody>
  </table>`;
}

function refusal(row: RefusalRow, now: Date): Html {
  const { host, port, detail, hint } = row;
  return html`<tr role="row" id="r-${row.id ?? row.time}">
    <td role="cell" class="number">${ago(new Date(row.time), now)}</td>
    <td role="cell" class="code"><a href="/errors#${row.code}">${row.code}</a></td>
    <td role="cell" class="client">${typeof host === 'string' ? endPoint(host, port ?? 0) : null}</td>
    <td role="cell">${named(row.user)}</td>
    <td role="cell">${named(row.database)}</td>
    <td role="cell">${row.rule === undefined ? null : ruleName(row.rule)}</td>
    <td role="cell" class="why">
      ${Html.seen(row.msg)} ${detail === undefined ? null : html`<small>${Html.seen(detail)}</small>`}
      ${hint === undefined ? null : html`<small>${Html.seen(hint)}</small>`}
    </td>
  </tr>`;
}

function named(name: string | undefined): HtmlValue {
  return name === undefined || name === '' ? null : visible(name);
}

/** `FILE:LINE` by the file's last name. */
function ruleName(rule: string): Html {
  return html`<span class="whole" title="${rule}">${rule.slice(rule.lastIndexOf('/') + 1)}</span>`;
}
