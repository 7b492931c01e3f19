// Socket activation (sd_listen_fds(3)): listening sockets that the service manager has opened and passed on.

/** The first descriptor that is passed. */
const FIRST_FD = 3;

/** More than any unit passes; a wrong LISTEN_FDS stays bounded. */
const MAX_SOCKETS = 64;

/**
 * The descriptors of the sockets that this process was started with; empty where none were passed. LISTEN_PID says
 * whom they are for: a child inherits the variables and not the sockets.
 */
export function passedSockets(env: NodeJS.ProcessEnv): readonly number[] {
  const count = Number(env['LISTEN_FDS'] ?? 0);
  if (Number(env['LISTEN_PID']) !== process.pid || !Number.isInteger(count) || count < 1) return [];
  return Array.from({ length: Math.min(count, MAX_SOCKETS) }, (_, index) => FIRST_FD + index);
}
