// The page's head: what state the gate is in and why, what it stands before, how full it is, and what ends next.

import type { Problem } from '../../base/problems.ts';
import type { FullSessionRow } from '../../session/session-row.ts';
import type { CrlInUse, HostCertificate } from '../../tls/types.ts';
import type { GateStatus, Overview, Readiness } from '../gate-view.ts';
import { html, Html, type HtmlValue } from './html.ts';
import { addressOf, lifeOf, readQuery } from './session-list.ts';
import { ago, count, counted, fact, moment, place, timeLeft, urgencyOf, type Life } from './words.ts';

/** What the head is made from. */
export interface HeadContent {
  readonly now: Date;
  readonly status: GateStatus;
  readonly overview: Overview;
  readonly readiness: Readiness;
  readonly sessions: readonly FullSessionRow[];
  readonly certificates: readonly HostCertificate[];
  readonly crls: readonly CrlInUse[];
}

/** A count is pointed at from this share of its limit on. */
const NEARLY_FULL = 0.9;

/** @param address the page's own, with what it shows */
export function pageHead(content: HeadContent, address: string): Html {
  const { status, now } = content;
  return html`<header id="head">
      <h1>pg-gatehouse</h1>
      ${state(content)}
      <p class="seen">
        ${status.version}, up ${ago(status.startedAt, now)}. Seen
        <time id="seen">${moment(now).slice(11)}</time>
        <a id="refresh" href="${address}">Refresh</a>
        <button type="button" id="pause" data-own="" hidden>Pause</button>
      </p>
    </header>
    <p id="stale" role="status" data-own=""></p>
    ${reasons(content)}
    <dl class="tiles" id="tiles">
      ${upstream(content)} ${fullness(content)} ${fact('Last reload', lastReload(status, now))}
      ${fact('Ends next', endsNext(content))} ${fact('Clients', clientsEnding(content))}
    </dl>`;
}

function state({ status, readiness }: HeadContent): Html {
  if (status.draining) return html`<p class="gate soon" id="state">Draining</p>`;
  return readiness.ready
    ? html`<p class="gate good" id="state">Ready</p>`
    : html`<p class="gate bad" id="state">Not ready</p>`;
}

/** Why it is not ready, what else is amiss, and what the last reload has not taken. */
function reasons({ status, readiness }: HeadContent): HtmlValue {
  const problems = status.lastReload?.errors ?? [];
  // The last reload's problems stand below with their places and hints.
  const others = readiness.reasons.filter(
    (reason) => reason !== 'draining' && !(problems.length > 0 && reason.startsWith('last reload failed:')),
  );
  if (others.length + problems.length === 0) return null;
  return html`<ul class="reasons" id="reasons">
    ${others.map((reason) => html`<li class="${readiness.ready ? 'soon' : 'bad'}">${lines(reason)}</li>`)}
    ${problems.map((problem) => html`<li class="bad">Not reloaded: ${problemText(problem)}</li>`)}
  </ul>`;
}

/** A text of several lines, each on its own. */
function lines(text: string): HtmlValue {
  return text.split('\n').map((line, index) => [index === 0 ? null : html`<br />`, Html.seen(line)]);
}

function problemText({ file, line, message, detail, hint }: Problem): Html {
  return html`${place({ file, line })}: ${lines(message)}
  ${detail === undefined ? null : html`<br /><span class="muted">${lines(detail)}</span>`}
  ${hint === undefined ? null : html`<br /><span class="muted">${lines(hint)}</span>`}`;
}

function upstream({ overview: { upstream: server } }: HeadContent): HtmlValue {
  const answer = server.answers ? 'answers' : html`<span class="bad">does not answer</span>`;
  return fact('Upstream', html`${Html.seen(server.place)} ${answer}`);
}

function fullness({ overview, sessions }: HeadContent): HtmlValue {
  const { limits, handshakes, workers } = overview;
  const byAddress = new Map<string, number>();
  for (const { client_addr: address } of sessions) byAddress.set(address, (byAddress.get(address) ?? 0) + 1);
  const most = Math.max(0, ...byAddress.values());
  return [
    fact('Sessions', ofLimit(sessions.length, limits.max_connections)),
    fact(
      'Most of one address',
      limits.max_connections_per_address === 0 ? null : ofLimit(most, limits.max_connections_per_address),
    ),
    fact('Handshakes', ofLimit(handshakes, limits.max_handshakes)),
    fact('Workers', workers.wanted === 1 ? null : ofLimit(workers.serving, workers.wanted, false)),
  ];
}

function ofLimit(used: number, limit: number, isUsedUp = true): Html {
  if (limit === 0) return html`${count(used)}, no limit`;
  const isNear = isUsedUp ? used >= limit * NEARLY_FULL : used < limit;
  return html`<span class="${isNear ? 'soon' : 'plain'}">${count(used)} of ${count(limit)}</span>`;
}

function lastReload({ lastReload: reload }: GateStatus, now: Date): Html {
  if (reload === null) return html`none since the start`;
  const when = html`${ago(reload.at, now)} ago`;
  return reload.ok ? html`${when}` : html`${when}, <span class="bad">failed in part</span>`;
}

/** What of the gate's own files ends first, and whatever else ends soon. */
function endsNext({ certificates, crls, now }: HeadContent): HtmlValue {
  const ends = [
    ...certificates.map(({ role, notBefore, notAfter }) => ({
      what: role === 'server' ? 'server certificate' : 'CA certificate',
      life: { from: notBefore, to: notAfter } satisfies Life,
    })),
    ...crls.flatMap(({ lastUpdate, nextUpdate }) =>
      nextUpdate === null ? [] : [{ what: 'revocation list', life: { from: lastUpdate, to: nextUpdate } }],
    ),
  ].toSorted((a, b) => a.life.to.getTime() - b.life.to.getTime());
  return ends
    .filter(({ life }, index) => index === 0 || urgencyOf(life, now) !== 'far')
    .slice(0, 3)
    .map(({ what, life }) => html`<span class="item">${what} ${timeLeft(life, now)}</span> `);
}

/** Sessions whose certificates end soon, with the list of them. */
function clientsEnding({ sessions, now }: HeadContent): HtmlValue {
  const ending = sessions.filter(
    ({ certificate }) => certificate !== null && urgencyOf(lifeOf(certificate), now) !== 'far',
  ).length;
  if (ending === 0) return null;
  const address = addressOf(readQuery(new URLSearchParams({ show: 'expiring' })));
  return html`<a id="clients-ending" href="${address}#sessions">${counted(ending, 'certificate')}</a>
    ${ending === 1 ? 'ends' : 'end'} soon`;
}
