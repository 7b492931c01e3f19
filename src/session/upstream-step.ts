// The way to the upstream: dial and login, and both again where the upstream refuses the gate's own settings. The part
// of connection.ts that composes these steps.

import { logsConnections } from '../config/log-connections.ts';
import type { StartupRequest } from '../protocol/startup-message.ts';
import { enlist, stepBack, type Admitted } from './admission.ts';
import { authenticated, beforeEachAnswer, endTurn } from './ban-step.ts';
import { giveKey } from './cancel-step.ts';
import type { Connection } from './connection.ts';
import { dialUpstream, type UpstreamLink } from './dial.ts';
import { upstreamStartup, type UpstreamStartup } from './identity.ts';
import { logIn, type Login } from './login.ts';
import { logAuthenticated, logAuthorized, logIdentityRefused, logLeftOut } from './report.ts';

/** An upstream that has let the client in. */
export interface Entered {
  readonly link: UpstreamLink;
  readonly login: Login;
}

/**
 * Dials the upstream and logs the client in there, to its ReadyForQuery. A client that has to prove a password becomes
 * a session in it.
 *
 * @throws GatehouseError `identity-setting-unclear`, or what the dial and the login throw
 */
export async function enterUpstream(
  connection: Connection,
  startup: StartupRequest,
  admitted: Admitted,
): Promise<Entered> {
  const { gate, settings } = connection;
  const { identity_prefix: prefix } = settings.upstream;
  const sent = startupFor(connection, startup, admitted, gate.identityMemory.takes(settings) !== false);
  if (sent.leftOut.length > 0) logLeftOut(gate, connection.log, sent.leftOut);
  const link = await dial(connection);
  const login = await logInAt(connection, link, startup, { admitted, sent });
  if (login !== 'settings-refused') return { link, login };
  link.socket.destroy();
  const without = startupFor(connection, startup, admitted, false);
  const again = await dial(connection);
  const second = await logInAt(connection, again, startup, { admitted, sent: without });
  // Nothing of the gate's own was in it.
  if (second === 'settings-refused') throw new Error('the upstream refuses settings that it was not sent');
  // SECURITY: believed only now. A user may have made logins of his own fail by ALTER ROLE, in whatever words.
  if (gate.identityMemory.note(settings, false)) logIdentityRefused(gate, prefix);
  return { link: again, login: second };
}

function startupFor(
  { settings, log }: Connection,
  startup: StartupRequest,
  { admission: { identity, record } }: Admitted,
  sendsIdentity: boolean,
): UpstreamStartup {
  const certificate = log.tls?.certificate;
  const client = {
    host: log.host,
    port: log.port,
    dn: certificate?.state === 'verified' ? certificate.identity.names.dn : null,
    identity,
    rule: record,
  };
  return upstreamStartup(startup, settings, client, sendsIdentity);
}

async function dial(connection: Connection): Promise<UpstreamLink> {
  const { gate, settings, life, log } = connection;
  const since = performance.now();
  const link = await dialUpstream(gate.dialer, settings, life.signal);
  connection.upstream = link;
  log.dialMs = performance.now() - since;
  gate.metrics.upstreamConnect(log.dialMs / 1000);
  return link;
}

async function logInAt(
  connection: Connection,
  link: UpstreamLink,
  startup: StartupRequest,
  { admitted, sent }: { readonly admitted: Admitted; readonly sent: UpstreamStartup },
): Promise<Login | 'settings-refused'> {
  const { gate, settings, life, log, client, raw, said } = connection;
  const { admission, answers } = admitted;
  const { demand } = admission;
  const isTrial = gate.identityMemory.takes(settings) === null;
  const hasSettings = sent.added.length > 0;
  const isRefusal: UpstreamStartup['isRefusal'] = (error) => {
    const isOne = sent.isRefusal(error);
    if (isOne) gate.identityMemory.doubt();
    return isOne;
  };
  const login = await logIn({ socket: client, raw, said }, link, {
    startup: sent.packet,
    demand,
    answers,
    user: startup.user,
    signal: life.signal,
    settings: hasSettings ? { isTrial, isRefusal } : null,
    onStep: (step) => {
      if (step === 'asked') {
        endTurn(connection);
        stepBack(connection);
      } else gate.strangers.answered(life);
    },
    onBackendKey: (theirs) => giveKey(connection, link, startup, theirs),
    beforeAnswer: beforeEachAnswer(connection),
    onAuthenticated: async () => {
      await authenticated(connection);
      await enlist(connection);
      life.clear();
      log.authenticatedAt = performance.now();
      if (demand !== 'none' && logsConnections(settings.log_connections, 'authentication'))
        logAuthenticated(gate, log, admission, startup.user);
      if (logsConnections(settings.log_connections, 'authorization')) logAuthorized(gate, log, startup);
    },
  });
  if (hasSettings && login !== 'settings-refused') gate.identityMemory.note(settings, true);
  return login;
}
