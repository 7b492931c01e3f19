// Requests of the admin listener over Node's HTTP: a table of routes, a bound for each body, and an answer in one form for
// whatever goes wrong.

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A request that a route is to answer. */
export interface Question {
  readonly query: URLSearchParams;
  /** What stands for the `*` of the route's path, decoded; empty where it has none. */
  readonly rest: string;
  /** Empty for a GET. */
  readonly body: Buffer;
}

export interface Answer {
  readonly status?: number;
  /** Of a redirection. */
  readonly location?: string;
  readonly type?: string;
  readonly body: string | Readable;
}

type Answering = (question: Question) => Answer | Promise<Answer>;

interface Route {
  readonly answer: Answering;
  readonly maxBodyBytes: number;
}

/** An answer in JSON. */
export function json(value: unknown, status = 200): Answer {
  return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(value) };
}

/** The routes of one listener. */
export class Routes {
  readonly #maxBodyBytes: number;
  /** By `METHOD /path`. */
  readonly #exact = new Map<string, Route>();
  /** By `METHOD /path/`; what comes after it is the question's `rest`. */
  readonly #below = new Map<string, Route>();

  /** @param maxBodyBytes what a body may have where its route says nothing else */
  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** Adds GET, and HEAD with it. */
  get(path: string, answer: Answering): void {
    this.#add('GET', path, answer);
  }

  post(path: string, answer: Answering, maxBodyBytes = this.#maxBodyBytes): void {
    this.#add('POST', path, answer, maxBodyBytes);
  }

  /** @param path it may end in `/*` */
  delete(path: string, answer: Answering): void {
    this.#add('DELETE', path, answer);
  }

  #add(method: string, path: string, answer: Answering, maxBodyBytes = this.#maxBodyBytes): void {
    if (path.endsWith('*')) this.#below.set(`${method} ${path.slice(0, -1)}`, { answer, maxBodyBytes });
    else this.#exact.set(`${method} ${path}`, { answer, maxBodyBytes });
  }

  /** The route of a request and the rest of its path, still encoded; null where there is none. */
  find(method: string, path: string): { readonly route: Route; readonly rest: string } | null {
    const name = `${method === 'HEAD' ? 'GET' : method} ${path}`;
    const exact = this.#exact.get(name);
    if (exact !== undefined) return { route: exact, rest: '' };
    for (const [begin, route] of this.#below) {
      if (name.startsWith(begin)) return { route, rest: name.slice(begin.length) };
    }
    return null;
  }
}

/**
 * What a request asks for, and the name that it gives the listener. Whoever takes the listener for a proxy sends the whole URL,
 * whose host counts then, and not the header's (RFC 9112 §3.2.2).
 */
export function targetOf({ url = '', headers }: Pick<IncomingMessage, 'url' | 'headers'>): {
  readonly host: string | undefined;
  readonly path: string;
  readonly search: string;
} {
  const [, authority, target = ''] = /^(?:https?:\/\/([^/?#]*))?(.*)$/is.exec(url) ?? [];
  const [, path = '', search = ''] = /^([^?#]*)\??([^#]*)/.exec(target) ?? [];
  return authority === undefined
    ? { host: headers.host, path, search }
    : { host: authority, path: path === '' ? '/' : path, search };
}

export interface AnsweringOptions {
  readonly routes: Routes;
  /** Sent with every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** Says no to a request before anything else of it is looked at; null = go on. */
  readonly refuse: (request: IncomingMessage) => Answer | null;
  /** Gets what a route failed with. */
  readonly onError: (error: unknown) => void;
}

/** What Node is to call for each request. It never throws. */
export function answering(options: AnsweringOptions) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    // A client that goes away meanwhile is not a failure of the gate's.
    response.on('error', () => {});
    void respond(request, response, options);
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { headers, onError, ...options }: AnsweringOptions,
): Promise<void> {
  try {
    const answer = await answerTo(request, options);
    if (answer === null || response.destroyed) return;
    await send(request, response, answer, headers);
  } catch (error) {
    onError(error);
    // SECURITY: what went wrong inside (paths, addresses, stacks) is for the log.
    if (response.headersSent) response.destroy();
    else await send(request, response, json({ error: 'internal error' }, 500), headers);
  }
}

/** Null: the client has gone away with half of its request. */
async function answerTo(
  request: IncomingMessage,
  { routes, refuse }: Pick<AnsweringOptions, 'routes' | 'refuse'>,
): Promise<Answer | null> {
  const refusal = refuse(request);
  if (refusal !== null) return refusal;
  const { method = '' } = request;
  const { path, search } = targetOf(request);
  const found = routes.find(method, path);
  const rest = decoded(found === null ? path : found.rest);
  if (rest === null) return json({ error: 'bad request' }, 400);
  if (found === null) return json({ error: 'not found' }, 404);
  const { answer, maxBodyBytes } = found.route;
  const hasBody = method !== 'GET' && method !== 'HEAD';
  const body = hasBody ? await readBody(request, maxBodyBytes) : Buffer.alloc(0);
  if (body === 'gone') return null;
  if (body === 'too large') return json({ error: 'Request body is too large' }, 413);
  return await answer({ query: new URLSearchParams(search), rest, body });
}

/** Null where a percent sign begins nothing. */
function decoded(path: string): string | null {
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}

/** SECURITY: a body of any kind is read up to the limit, said or not, and no further. */
async function readBody(request: IncomingMessage, limit: number): Promise<Buffer | 'too large' | 'gone'> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return 'too large';
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    // Ended early it leaves the connection alone: the answer has to go over it.
    for await (const piece of request.iterator({ destroyOnReturn: false })) {
      const bytes = Buffer.from(piece);
      length += bytes.length;
      if (length > limit) return 'too large';
      pieces.push(bytes);
    }
  } catch {
    return 'gone';
  }
  return Buffer.concat(pieces, length);
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status = 200, location, type, body }: Answer,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  if (typeof body !== 'string') {
    // A body that fails before its first piece is answered with an error. A later failure can only cut it off.
    await once(body, 'readable');
    if (response.destroyed) {
      body.destroy();
      return;
    }
  }
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (location !== undefined) response.setHeader('location', location);
  if (type !== undefined) response.setHeader('content-type', type);
  // SECURITY: what has not been read of a body would be read on, and dropped, as long as it comes.
  if (!request.complete) response.setHeader('connection', 'close');
  if (typeof body === 'string') {
    response.setHeader('content-length', Buffer.byteLength(body));
    response.end(body);
    return;
  }
  if (request.method === 'HEAD') {
    body.destroy();
    response.end();
    return;
  }
  try {
    await pipeline(body, response);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** What a stream fails with when the client has gone away before the end of its answer. */
const GONE: readonly unknown[] = ['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'];

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && GONE.includes(error.code);
}
