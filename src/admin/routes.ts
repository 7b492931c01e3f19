// The routes for programs (contract §5): Prometheus text and JSON. Each asks the gate one question and writes the answer.

import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { Problem } from '../base/problems.ts';
import { parseBoolean } from '../config/units.ts';
import type { ReloadResult } from '../config/snapshot.ts';
import type { SessionFilter } from '../session/sessions.ts';
import type { CrlInUse } from '../tls/types.ts';
import { json, type Answer, type Routes } from './answering.ts';
import type { GateView } from './gate-view.ts';
import { addProbes } from './probes.ts';

/** Adds every route but the status page's. HEAD comes with each GET. */
export function addRoutes(routes: Routes, view: GateView): void {
  addProbes(routes, view, 'operators');

  routes.get('/sessions', async () => jsonArray(await view.sessions()));

  routes.delete('/sessions/*', async ({ rest }) =>
    (await view.terminate(rest)) ? json({ ok: true }) : json({ error: 'no such session' }, 404),
  );

  routes.delete('/sessions', async ({ query }) => {
    const which = sessionFilter(query);
    if (which === null) return json({ error: WHICH_SESSIONS }, 400);
    const terminated = await view.terminateAll(which);
    if (terminated.length === 0) return json({ error: 'no session matches' }, 404);
    return json({ ok: true, terminated });
  });

  addReload(routes, view);

  routes.get('/certificates', async () => {
    const { certificates, crls } = await view.certificates();
    return json({ certificates, crls: crls.map(crlJson) });
  });

  routes.get('/refusals', async () => json(await view.refusals()));

  routes.get('/bans', async () => json(await view.bans()));

  // A network of IPv6 has a slash, which some clients escape and some do not.
  routes.delete('/bans/*', async ({ rest }) =>
    (await view.unban(rest)) ? json({ ok: true }) : json({ error: 'no such ban' }, 404),
  );

  routes.get('/rules', async () => jsonArray(await view.rules()));
}

function addReload(routes: Routes, view: GateView): void {
  routes.post('/reload', async ({ query }) => {
    const { dry_run: asked, ...others } = valuesOf(query);
    const isDryRun = asked === undefined ? false : typeof asked === 'string' ? parseBoolean(asked) : null;
    // A mistyped dry run must not become a reload.
    if (isDryRun === null || Object.keys(others).length > 0)
      return json({ error: 'the one parameter is dry_run, true or false' }, 400);
    if (isDryRun) {
      const report = await view.dryRun();
      const { changed, sessions, of, silent, action } = report;
      const beyond = { dry_run: true, changed, sessions, sessions_total: of, sessions_action: action };
      const silence = silent === 0 ? {} : { workers_silent: silent };
      return json({ ...reloadJson(report), ...beyond, ...silence }, report.ok ? 200 : 422);
    }
    const result = await view.reload();
    return json(reloadJson(result), result.ok ? 200 : 422);
  });
}

const WHICH_SESSIONS = 'say which: all=true, user=NAME, no_longer_admitted=true, or the last two together';

/** Which sessions a DELETE of several means; null = it does not say, or not clearly. */
function sessionFilter(query: URLSearchParams): SessionFilter | null {
  const { all, user, no_longer_admitted: noLongerAdmitted, ...others } = valuesOf(query);
  if (Object.keys(others).length > 0) return null;
  // SECURITY: a slip of the finger must never mean every session.
  if (all !== undefined)
    return all === 'true' && user === undefined && noLongerAdmitted === undefined ? {} : null;
  if (user === undefined && noLongerAdmitted === undefined) return null;
  if (user !== undefined && typeof user !== 'string') return null;
  if (noLongerAdmitted !== undefined && noLongerAdmitted !== 'true') return null;
  return {
    ...(user === undefined ? {} : { user }),
    ...(noLongerAdmitted === undefined ? {} : { noLongerAdmitted: true }),
  };
}

/** A name that comes twice has a list for a value. */
function valuesOf(query: URLSearchParams): Readonly<Record<string, string | readonly string[] | undefined>> {
  return Object.fromEntries(
    [...new Set(query.keys())].map((name) => {
      const [first = '', ...more] = query.getAll(name);
      return [name, more.length === 0 ? first : [first, ...more]];
    }),
  );
}

function reloadJson({ ok, reloaded, errors, warnings }: ReloadResult): object {
  return {
    ok,
    reloaded,
    ...(ok ? {} : { errors: errors.map(problemJson) }),
    ...(warnings.length === 0 ? {} : { warnings: warnings.map(problemJson) }),
  };
}

/** Rows of one piece of an answer: what is made of them holds the sessions up for less than a millisecond. */
const ROWS_A_PIECE = 200;

/** A JSON array in pieces, as fast as its reader takes them. Sessions have their turn between two pieces. */
function jsonArray(rows: Iterable<object>): Answer {
  async function* pieces(): AsyncGenerator<string> {
    let piece: string[] = [];
    let separator = '[';
    for (const row of rows) {
      piece.push(JSON.stringify(row));
      if (piece.length < ROWS_A_PIECE) continue;
      yield separator + piece.join(',');
      separator = ',';
      piece = [];
      await setImmediate();
    }
    // Of an empty array nothing has been written yet, not even its beginning.
    yield `${piece.length > 0 || separator === '[' ? separator : ''}${piece.join(',')}]`;
  }
  return {
    type: 'application/json; charset=utf-8',
    body: Readable.from(pieces(), { objectMode: false }),
  };
}

/** Contract §7.2's four fields, and PostgreSQL's DETAIL where there is one. */
function problemJson({ file, line, message, detail, hint }: Problem): object {
  return { file, line, message, hint: hint ?? null, ...(detail === undefined ? {} : { detail }) };
}

/** A list of a large CA revokes many thousands: their number is told, not each. */
function crlJson({ file, issuer, issuerDn, lastUpdate, nextUpdate, revokedSerials }: CrlInUse): object {
  return { file, issuer, issuerDn, lastUpdate, nextUpdate, revoked: revokedSerials.size };
}
