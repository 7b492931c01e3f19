// TCP keep-alive as PostgreSQL's three settings mean it, on every TCP socket of a session: the client's and the
// upstream's. Node and libuv have defaults of their own for what they are not told, so they are told everything.

import { readFileSync } from 'node:fs';

/** The three settings; 0 = the system's value, as in PostgreSQL. */
export interface KeepAliveSettings {
  /** Silence before the first probe, in milliseconds. */
  readonly tcp_keepalives_idle: number;
  /** Time between two probes, in milliseconds. */
  readonly tcp_keepalives_interval: number;
  /** Unanswered probes until the connection counts as lost. */
  readonly tcp_keepalives_count: number;
}

/** A net.Socket as far as it is used here; an older Node's takes two arguments. */
export interface KeepAliveSocket {
  readonly setKeepAlive: (enable?: boolean, idleMs?: number, intervalMs?: number, count?: number) => unknown;
}

/** What Linux has unless an administrator says otherwise; taken where the system does not tell its own values. */
const LINUX_DEFAULTS = { time: 7200, intvl: 75, probes: 9 } as const;

/**
 * Switches keep-alive on with these settings. A Unix socket has none, and is left as it is.
 *
 * A Node whose setKeepAlive takes no interval and no count would probe every second and give up after ten probes, which
 * cuts idle sessions after a short outage. There the connection gets the system's three values instead.
 *
 * @param socket connected; may be given other settings later
 */
export function keepAlive(socket: KeepAliveSocket, settings: KeepAliveSettings): void {
  if (!setsIntervalAndCount(socket)) {
    socket.setKeepAlive(true, 0);
    return;
  }
  // Node leaves out all three where the idle time is 0, and fills in 1 s and 10 for the others: the system's values are
  // named one by one.
  const idleMs = settings.tcp_keepalives_idle || systemValue('time') * 1000;
  const intervalMs = settings.tcp_keepalives_interval || systemValue('intvl') * 1000;
  const count = settings.tcp_keepalives_count || systemValue('probes');
  socket.setKeepAlive(true, idleMs, intervalMs, count);
}

/** Whether this Node can set all three values: Node 26.10 can, Node 24 cannot. */
export function setsIntervalAndCount(socket: KeepAliveSocket): boolean {
  return socket.setKeepAlive.length >= 4;
}

const systemValues = new Map<keyof typeof LINUX_DEFAULTS, number>();

/** Read once: one file read for each connection would be felt. */
function systemValue(name: keyof typeof LINUX_DEFAULTS): number {
  const known = systemValues.get(name);
  if (known !== undefined) return known;
  let value = 0;
  try {
    value = Number(readFileSync(`/proc/sys/net/ipv4/tcp_keepalive_${name}`, 'latin1'));
  } catch {
    // Not Linux, or no /proc.
  }
  const found = value > 0 ? value : LINUX_DEFAULTS[name];
  systemValues.set(name, found);
  return found;
}
