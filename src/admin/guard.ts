// Who may speak to the admin listener: decides from a request's headers, before any route, whether it was sent by a
// web page that has no business here. The listener has no passwords: standing on loopback is its whole protection.

/** A request's headers as far as they tell where it came from. */
export interface RequestOrigin {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly secFetchSite: string | undefined;
}

/** An answer in place of the route's. */
export interface GuardRefusal {
  readonly status: 403 | 421;
  readonly error: string;
}

/**
 * Null = go on. `listenHost` is the host of admin.listen, or null for a Unix socket, which no browser can reach.
 *
 * Two attacks come through an operator's browser: a name that an attacker re-points to 127.0.0.1 (DNS rebinding), which
 * makes his page same-origin with us, and a page of his that sends a request blindly to http://127.0.0.1.
 */
export function refuseForeignRequest(request: RequestOrigin, listenHost: string | null): GuardRefusal | null {
  // SECURITY: without this a re-pointed name reads every session and ends them.
  if (listenHost !== null && !isOwnName(request.host, listenHost)) {
    return {
      status: 421,
      error: 'the Host header names neither a loopback address nor what admin.listen says',
    };
  }
  // SECURITY: without this any web page can reload the gate and end sessions, though it cannot read the answers.
  if (changesState(request.method) && isCrossSite(request)) {
    return { status: 403, error: 'a request of another site may not change anything' };
  }
  return null;
}

function isOwnName(host: string | undefined, listenHost: string): boolean {
  const name = /^(\[[^\]]+\]|[^:[\]]+)(?::\d+)?$/.exec(host ?? '')?.[1]?.toLowerCase();
  if (name === undefined) return false;
  if (name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name)) return true;
  return name === listenHost.toLowerCase() || name === `[${listenHost.toLowerCase()}]`;
}

function changesState(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

/** Browsers send one of these headers with every such request and let no page forge them; curl sends neither. */
function isCrossSite({ host, origin, secFetchSite }: RequestOrigin): boolean {
  // `same-site` is another port of the same host: another program.
  if (secFetchSite !== undefined && secFetchSite !== 'same-origin' && secFetchSite !== 'none') return true;
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase();
}
