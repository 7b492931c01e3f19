// The step of a connection that the gate itself answers: it has been admitted by a rule, and now has to be in one of
// the console's lists (contract §14).

import { toText } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import { logsConnections } from '../config/log-connections.ts';
import { cancelKeyLength } from '../protocol/backend-key-data.ts';
import { MessageFormatError } from '../protocol/message-reader.ts';
import type { StartupRequest } from '../protocol/startup-message.ts';
import type { Admission } from '../rules/types.ts';
import { authenticated } from './ban-step.ts';
import type { Connection } from './connection.ts';
import { consoleRefusal, consoleRole } from './console-access.ts';
import { withSignal } from './end-signal.ts';
import type { ConsoleVisitor } from './process-state.ts';
import { tooMany } from './quota.ts';
import { logAuthorized, logReady, logConsoleAction } from './report.ts';

/**
 * Consoles of one process at one time. Each may have an engine of its own, so they are not for an application's pool.
 */
const MAX_CONSOLES = 20;

/**
 * Serves a console to its end.
 *
 * @param admission what the rules have said; the session is listed by now where they ask for no password
 * @throws GatehouseError `console-password-impossible`, `console-denied`, `console-protocol-violation`,
 *   `too-many-connections`, or the life's reason
 */
export async function serveConsole(
  connection: Connection,
  startup: StartupRequest,
  admission: Admission,
): Promise<'console'> {
  const { gate, settings, life, log, client, session } = connection;
  const refusal = consoleRefusal(gate.snapshot().settings, startup.user, admission.demand);
  if (refusal !== null) throw new GatehouseError(refusal);
  if (session === null || session.console === null) throw new GatehouseError('console-password-impossible');
  if (gate.sessions.consoles > MAX_CONSOLES) throw tooMany('too-many-connections');
  const { console: served } = session;
  const [serve, pid] = await withSignal(
    Promise.all([gate.loadConsole(), gate.nextConsolePid()]),
    life.signal,
  );
  const key = gate.sessions.issueKey(session, pid, cancelKeyLength(startup.minorVersion));
  await authenticated(connection);
  life.clear();
  log.authenticatedAt = performance.now();
  if (logsConnections(settings.log_connections, 'authorization')) logAuthorized(gate, log, startup);
  if (logsConnections(settings.log_connections, 'setup_durations')) logReady(gate, log);
  const service = serve(client, visitorOf(connection, startup, { pid, key }));
  session.pid = pid;
  session.status = () => service.status;
  served.cancel = () => service.cancel();
  const onEnd = (): void => service.end();
  life.signal.addEventListener('abort', onEnd, { once: true });
  if (life.signal.aborted) onEnd();
  await service.over.catch((error: unknown) => {
    throw error instanceof MessageFormatError ? violation(error) : error;
  });
  life.signal.throwIfAborted();
  return 'console';
}

function visitorOf(
  { gate, settings, life, log }: Connection,
  { user, database }: StartupRequest,
  { pid, key }: Pick<ConsoleVisitor, 'pid' | 'key'>,
): ConsoleVisitor {
  return {
    user: toText(user),
    database: toText(database),
    pid,
    key,
    // By the lists in force now: a reload takes a right away from a console that is open, too.
    role: () => consoleRole(gate.snapshot().settings, user),
    idleTimeoutMs: settings.idle_session_timeout,
    onIdle: () => life.end(new GatehouseError('idle-session-timeout')),
    onAction: (what) => logConsoleAction(gate, log, what),
  };
}

function violation({ message }: MessageFormatError): GatehouseError {
  return new GatehouseError('console-protocol-violation', { reply: message });
}
