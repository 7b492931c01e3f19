// How a dial of the upstream fails: the code, and a hint for the operator on what the system's error most often means.

import type { Settings } from '../config/schema.ts';
import { fixedAnswer } from '../base/codes.ts';
import { GatehouseError } from '../base/errors.ts';
import { errnoOf, systemMessage } from '../base/system-error.ts';
import { socketPath } from './upstream-address.ts';

const COULD_NOT_CONNECT = fixedAnswer('upstream-unreachable').message;

/** What a failed dial is told as; a GatehouseError stays what it is. */
export function toGatehouseError(cause: unknown, settings: Settings['upstream']): GatehouseError {
  if (cause instanceof GatehouseError) return cause;
  // ECONNREFUSED is not this. A reset means that the server had accepted and closed before our `connect` event.
  return errnoOf(cause) === 'ECONNRESET' ? closedEarly(cause) : unreachable(cause, settings);
}

/** The upstream ended the connection before it had answered. */
export function closedEarly(cause?: unknown): GatehouseError {
  return new GatehouseError('upstream-closed-early', { cause });
}

/** @param isQueueFull whether the time went by in waiting for room in the queue of a Unix socket */
export function timedOut(isQueueFull: boolean): GatehouseError {
  return new GatehouseError('upstream-timeout', {
    message: `${COULD_NOT_CONNECT}: no answer within upstream.connect_timeout`,
    ...(isQueueFull
      ? {
          hint: 'The queue of the Unix socket was full all the time: the server accepts too slowly, or not at all.',
        }
      : {}),
  });
}

/** The upstream's address is one that the gate listens on. */
export function thisGate(): GatehouseError {
  return new GatehouseError('upstream-is-this-gate', {
    message: `${COULD_NOT_CONNECT}: upstream.host and upstream.port lead to this gate itself`,
    hint: 'Set them to where the PostgreSQL server listens.',
  });
}

function unreachable(cause: unknown, settings: Settings['upstream']): GatehouseError {
  // Of a name with several addresses each has an error of its own, and the one around them no text.
  const causes: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  const hint = causes.map((each) => hintFor(errnoOf(each) ?? '', settings)).find((text) => text !== null);
  return new GatehouseError('upstream-unreachable', {
    message: `${COULD_NOT_CONNECT}: ${causes.map((each) => wordsOf(each, settings)).join(', ')}`,
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

/** As libpq words what has failed, and where. */
function wordsOf(cause: unknown, { host }: Settings['upstream']): string {
  const words = systemMessage(cause);
  if (!(cause instanceof Error) || !('syscall' in cause)) return words;
  if (cause.syscall === 'getaddrinfo') return `could not translate host name "${host}" to address: ${words}`;
  if (cause.syscall !== 'connect' || !('address' in cause)) return words;
  return 'port' in cause
    ? `connection to server at "${String(cause.address)}", port ${String(cause.port)} failed: ${words}`
    : `connection to server on socket "${String(cause.address)}" failed: ${words}`;
}

/** Known mistakes and shortages by the system's name for them; libpq's words where it has some. */
function hintFor(errno: string, settings: Settings['upstream']): string | null {
  const isPath = socketPath(settings) !== null;
  switch (errno) {
    case 'ECONNREFUSED':
      return isPath
        ? 'Is the server running locally and accepting connections on that socket?'
        : 'Is the server running on that host and accepting TCP/IP connections?';
    case 'ENOENT':
      return "Is the server running, and are upstream.host and upstream.port one of the server's unix_socket_directories and its port?";
    case 'EACCES':
    case 'EPERM':
      return isPath
        ? "The gate's user may not use that socket: see the server's unix_socket_permissions and unix_socket_group, and the directories above it."
        : 'A firewall or a security policy of this machine forbids the connection.';
    case 'EADDRNOTAVAIL':
      return 'Every local port towards that address is in use or was until a minute ago (TIME_WAIT): widen net.ipv4.ip_local_port_range, or reach the server over a Unix socket, which needs no port. Towards an IPv6 address it also means that this machine has none.';
    case 'EMFILE':
      return "The gate's limit of open files is reached: raise it (ulimit -n, LimitNOFILE= in the systemd unit).";
    case 'ENFILE':
      return "The system's limit of open files is reached (fs.file-max).";
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
      return 'This machine has no route to that address.';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'The resolver does not know upstream.host at present: see the name, /etc/hosts and /etc/resolv.conf.';
    default:
      return null;
  }
}
