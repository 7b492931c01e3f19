// The admin listener (contract §5): HTTP on loopback or a Unix socket, for Prometheus, probes, scripts and people; on any
// other address HTTPS, with a client certificate of everybody.
// Promises that nothing a client sends costs more than one bounded request, and that no answer tells of the program's inside.

import type { IncomingMessage, Server, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Server as TlsServer, TLSSocket, type TlsOptions } from 'node:tls';
import { answering, json, Routes, targetOf, type Answer } from './answering.ts';
import { createHttpServer, createHttpsServer } from '../base/http.ts';
import { parseListenPlace } from '../config/hosts.ts';
import { refuseForeignRequest } from './guard.ts';
import type { Settings } from '../config/schema.ts';
import { bindListener, type AdminSettings, type ListenerPlace } from './listen.ts';
import { addPage } from './page/page-routes.ts';
import { addProbes } from './probes.ts';
import { addRoutes } from './routes.ts';
import type { GateView } from './gate-view.ts';
import type { TlsMaterial } from '../tls/types.ts';
import { Visitors } from './visitors.ts';

/** What one client may take. */
const limits = {
  /** Prometheus, probes, and a few people with a browser. */
  connections: 64,
  headerBytes: 8 * 1024,
  /** Where a route reads none, or says no other limit. */
  bodyBytes: 1024,
  /** From a connection's begin to the end of the request's headers. */
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  keepAliveTimeoutMs: 5000,
  /** Without a byte either way; longer than any reload takes. */
  idleTimeoutMs: 60_000,
  /** How often Node looks at the two timeouts of a request. */
  timeoutCheckMs: 1000,
};

/** Lets nothing but the page's own two files run, and no other page frame it (a click on terminate is a click here). */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const securityHeaders = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  // Without a referrer a browser calls the origin of its own forms `null`, and the guard would refuse them.
  'referrer-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

export interface AdminServer {
  /** `http://127.0.0.1:9432` or `https://…` with the port it really has, or `unix:/path`. */
  readonly url: string;
  /** Serves new connections with this from here on; nothing happens where it speaks no TLS. */
  renew(tls: AdminTls): void;
  /** Stops listening and closes every connection, answered or not. */
  close(): Promise<void>;
}

/** Certificates as loaded from `admin.ssl_*`. */
export type AdminTls = Pick<TlsMaterial, 'options'>;

export interface AdminOptions {
  /** Null or absent: in clear, which only a loopback address and a Unix socket allow. */
  readonly tls?: AdminTls | null;
  /** Gets the error that a route failed with. The client reads only `internal error`. */
  readonly onError?: (error: unknown) => void;
  /** Tests shorten what a production limit would make them wait for. */
  readonly limits?: Partial<typeof limits>;
}

/** Throws LoadError at admin.listen where it cannot listen there. */
export async function createAdminServer(
  view: GateView,
  { admin, placeOf }: AdminSettings,
  options: AdminOptions = {},
): Promise<AdminServer> {
  const { tls = null } = options;
  const bounds = { ...limits, ...options.limits };
  const address = parseListenPlace(admin.listen);
  // A re-pointed name finds no certificate that fits it, so with TLS any name will do.
  const ownHost = address?.kind === 'unix' || tls !== null ? null : (address?.host ?? '');
  const refuse = (request: IncomingMessage): Answer | null =>
    refusal(request, ownHost) ?? (tls === null ? null : withoutCertificate(request));
  const routes = new Routes(bounds.bodyBytes);
  addRoutes(routes, view);
  addPage(routes, view);
  const server = boundedServer(handlerOf(routes, refuse, options), bounds, tls);
  const scheme = tls === null ? 'http' : 'https';
  const place = { setting: 'admin.listen', listen: admin.listen, placeOf, scheme, isPublic: false } as const;
  const { url, close } = await listening(server, { place, bounds, isTls: tls !== null });
  return {
    url,
    renew: (next) => {
      if (server instanceof TlsServer) server.setSecureContext(httpsOptions(next, bounds));
    },
    close,
  };
}

/**
 * The listener for probes and Prometheus (contract §17): three routes that anyone may read, on any address. Throws LoadError
 * at admin.status_listen where it cannot listen there.
 */
export async function createStatusServer(
  view: GateView,
  {
    admin,
    placeOf,
  }: Pick<Settings, 'placeOf'> & { readonly admin: Pick<Settings['admin'], 'status_listen'> },
  options: Omit<AdminOptions, 'tls'> = {},
): Promise<Pick<AdminServer, 'url' | 'close'>> {
  const bounds = { ...limits, ...options.limits };
  const routes = new Routes(bounds.bodyBytes);
  addProbes(routes, view, 'anybody');
  const server = boundedServer(handlerOf(routes, refusedOfNobody, options), bounds, null);
  // SECURITY: a request is a connection here. Strangers that keep theirs open would shut the probes out.
  server.maxRequestsPerSocket = 1;
  const listen = admin.status_listen;
  const place = { setting: 'admin.status_listen', listen, placeOf, scheme: 'http', isPublic: true } as const;
  return await listening(server, { place, bounds, isTls: false });
}

async function listening(
  server: Server,
  { place, bounds, isTls }: { place: ListenerPlace; bounds: typeof limits; isTls: boolean },
): Promise<Pick<AdminServer, 'url' | 'close'>> {
  const visitors = new Visitors(server, {
    limit: bounds.connections,
    isTls,
    keepsProven: !place.isPublic,
    helloTimeoutMs: bounds.headersTimeoutMs,
  });
  const url = await bindListener(server, place);
  return {
    url,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      visitors.destroyAll();
      await closed;
    },
  };
}

function handlerOf(
  routes: Routes,
  refuse: (request: IncomingMessage) => Answer | null,
  { onError = () => {} }: Pick<AdminOptions, 'onError'>,
): Handler {
  return answering({ routes, headers: securityHeaders, refuse, onError });
}

type Handler = NonNullable<Parameters<typeof createHttpServer>[1]>;

function boundedServer(handler: Handler, bounds: typeof limits, tls: AdminTls | null): Server {
  const options: ServerOptions = {
    maxHeaderSize: bounds.headerBytes,
    // SECURITY: a client that sends its request byte by byte, or none, loses its connection.
    headersTimeout: bounds.headersTimeoutMs,
    requestTimeout: bounds.requestTimeoutMs,
    keepAliveTimeout: bounds.keepAliveTimeoutMs,
    connectionsCheckingInterval: bounds.timeoutCheckMs,
  };
  const server =
    tls === null
      ? createHttpServer(options, oneAtATime(handler))
      : createHttpsServer({ ...options, ...httpsOptions(tls, bounds) }, oneAtATime(handler));
  // SECURITY: with TLS every request is a connection, so that none outlives its certificate's revocation.
  if (tls !== null) server.maxRequestsPerSocket = 1;
  server.setTimeout(bounds.idleTimeoutMs);
  server.on('clientError', answerBrokenRequest);
  return server;
}

/**
 * SECURITY: a connection that sends requests without waiting for the answers would have them carried out all at once: a
 * thousand in one packet, each with its own rows in memory. No browser does it, nor Prometheus or curl.
 */
function oneAtATime(handler: Handler): Handler {
  const busy = new WeakSet<Socket>();
  return (request, response) => {
    const { socket } = request;
    if (busy.has(socket)) {
      socket.destroy();
      return;
    }
    busy.add(socket);
    response.once('close', () => busy.delete(socket));
    handler(request, response);
  };
}

/** Asks for certificates as the gate asks its clients, without what only PostgreSQL's protocol needs. */
function httpsOptions(tls: AdminTls, bounds: typeof limits): TlsOptions {
  return {
    ...tls.options,
    ALPNProtocols: ['http/1.1'],
    requestCert: true,
    // SECURITY: who has no certificate of admin.ssl_ca_file does not get as far as HTTP.
    rejectUnauthorized: true,
    handshakeTimeout: bounds.headersTimeoutMs,
  };
}

/** SECURITY: a second look, so that no option of a library decides alone who may end sessions. */
function withoutCertificate({ socket }: IncomingMessage): Answer | null {
  if (socket instanceof TLSSocket && socket.authorized) return null;
  return json({ error: 'a client certificate is required' }, 403);
}

/** Anyone may ask by whatever name: there is nothing there that a page of another site should not read. */
function refusedOfNobody(request: IncomingMessage): Answer | null {
  return refusal(request, null);
}

function refusal(request: IncomingMessage, listenHost: string | null): Answer | null {
  const { method = '', headers } = request;
  const { origin, 'sec-fetch-site': site } = headers;
  const { host } = targetOf(request);
  const secFetchSite = Array.isArray(site) ? site.join() : site;
  const refused = refuseForeignRequest({ method, host, origin, secFetchSite }, listenHost);
  return refused === null ? null : json({ error: refused.error }, refused.status);
}

const brokenRequests: Readonly<Record<string, readonly [string, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'request timeout'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'request header fields too large'],
};

/** What Node's parser refuses reaches no route; the answer has the same form all the same. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, text] = brokenRequests[error.code ?? ''] ?? ['400 Bad Request', 'bad request'];
  const body = JSON.stringify({ error: text });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\n` +
      `Connection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
