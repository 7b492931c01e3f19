// The routes for programs (contract §5): Prometheus text and JSON. Each asks the gate one question and writes the answer.

import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Problem } from '../base/problems.ts';
import type { CrlInUse } from '../tls/types.ts';
import type { GateView } from './gate-view.ts';

/** Adds every route but the status page's. HEAD comes with each GET. */
export function addRoutes(app: FastifyInstance, view: GateView): void {
  app.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await view.metricsText();
    return reply.type(contentType).send(body);
  });

  app.get('/healthz', async (_request, reply) => {
    const { alive, reasons } = await view.health();
    return reply.code(alive ? 200 : 503).send({ ok: alive, ...(reasons.length === 0 ? {} : { reasons }) });
  });

  app.get('/readyz', async (_request, reply) => {
    const { ready, reasons } = await view.readiness();
    return reply.code(ready ? 200 : 503).send({ ready, reasons });
  });

  app.get('/sessions', async () => view.sessions());

  app.delete<{ Params: { id: string } }>('/sessions/:id', async (request, reply) => {
    if (await view.terminate(request.params.id)) return { ok: true };
    return reply.code(404).send({ error: 'no such session' });
  });

  app.post('/reload', async (_request, reply) => {
    const { ok, reloaded, errors, warnings } = await view.reload();
    return reply.code(ok ? 200 : 422).send({
      ok,
      reloaded,
      ...(ok ? {} : { errors: errors.map(problemJson) }),
      ...(warnings.length === 0 ? {} : { warnings: warnings.map(problemJson) }),
    });
  });

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

function addBans(app: FastifyInstance, view: GateView): void {
  app.get('/bans', async () => view.bans());

  // A network of IPv6 has a slash, which some clients escape and some do not.
  app.delete<{ Params: { '*': string } }>('/bans/*', async (request, reply) => {
    if (await view.unban(request.params['*'])) return { ok: true };
    return reply.code(404).send({ error: 'no such ban' });
  });
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
