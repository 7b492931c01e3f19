// The routes for programs (contract §5): Prometheus text and JSON. Each asks the gate one question and writes the answer.

import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Problem } from '../base/problems.ts';
import { parseBoolean } from '../config/units.ts';
import type { ReloadResult } from '../config/snapshot.ts';
import type { SessionFilter } from '../session/sessions.ts';
import type { CrlInUse } from '../tls/types.ts';
import type { GateView } from './gate-view.ts';
import { addProbes } from './probes.ts';

/** Adds every route but the status page's. HEAD comes with each GET. */
export function addRoutes(app: FastifyInstance, view: GateView): void {
  addProbes(app, view, 'operators');

  app.get('/sessions', async (_request, reply) =>
    reply.type('application/json; charset=utf-8').send(jsonArray(await view.sessions())),
  );

  app.delete<{ Params: { id: string } }>('/sessions/:id', async (request, reply) => {
    if (await view.terminate(request.params.id)) return { ok: true };
    return reply.code(404).send({ error: 'no such session' });
  });

  app.delete('/sessions', async (request, reply) => {
    const which = sessionFilter(request.query);
    if (which === null) return reply.code(400).send({ error: WHICH_SESSIONS });
    const terminated = await view.terminateAll(which);
    if (terminated.length === 0) return reply.code(404).send({ error: 'no session matches' });
    return { ok: true, terminated };
  });

  addReload(app, view);

  app.get('/certificates', async () => {
    const { certificates, crls } = await view.certificates();
    return { certificates, crls: crls.map(crlJson) };
  });

  app.get('/refusals', async () => view.refusals());

  addBans(app, view);

  app.get('/rules', async (_request, reply) =>
    reply.type('application/json; charset=utf-8').send(jsonArray(await view.rules())),
  );
}

function addReload(app: FastifyInstance, view: GateView): void {
  app.post('/reload', async (request, reply) => {
    const { dry_run: asked, ...others } = queryOf(request.query);
    const isDryRun = asked === undefined ? false : typeof asked === 'string' ? parseBoolean(asked) : null;
    // A mistyped dry run must not become a reload.
    if (isDryRun === null || Object.keys(others).length > 0)
      return reply.code(400).send({ error: 'the one parameter is dry_run, true or false' });
    if (isDryRun) {
      const report = await view.dryRun();
      const { changed, sessions, of, silent, action } = report;
      const beyond = { dry_run: true, changed, sessions, sessions_total: of, sessions_action: action };
      return reply.code(report.ok ? 200 : 422).send({
        ...reloadJson(report),
        ...beyond,
        ...(silent === 0 ? {} : { workers_silent: silent }),
      });
    }
    const result = await view.reload();
    return reply.code(result.ok ? 200 : 422).send(reloadJson(result));
  });
}

function addBans(app: FastifyInstance, view: GateView): void {
  app.get('/bans', async () => view.bans());

  // A network of IPv6 has a slash, which some clients escape and some do not.
  app.delete<{ Params: { '*': string } }>('/bans/*', async (request, reply) => {
    if (await view.unban(request.params['*'])) return { ok: true };
    return reply.code(404).send({ error: 'no such ban' });
  });
}

const WHICH_SESSIONS = 'say which: all=true, user=NAME, no_longer_admitted=true, or the last two together';

/** Which sessions a DELETE of several means; null = it does not say, or not clearly. */
function sessionFilter(query: unknown): SessionFilter | null {
  const { all, user, no_longer_admitted: noLongerAdmitted, ...others } = queryOf(query);
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
function queryOf(query: unknown): Readonly<Record<string, unknown>> {
  return { ...Object(query) };
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
function jsonArray(rows: Iterable<object>): Readable {
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
  return Readable.from(pieces(), { objectMode: false });
}

/** Contract §7.2's four fields, and PostgreSQL's DETAIL where there is one. */
function problemJson({ file, line, message, detail, hint }: Problem): object {
  return { file, line, message, hint: hint ?? null, ...(detail === undefined ? {} : { detail }) };
}

/** A list of a large CA revokes many thousands: their number is told, not each. */
function crlJson({ file, issuer, issuerDn, lastUpdate, nextUpdate, revokedSerials }: CrlInUse): object {
  return { file, issuer, issuerDn, lastUpdate, nextUpdate, revoked: revokedSerials.size };
}
