// The login at the upstream: send the startup, watch its answers until it is ready. Every message of the login is read
// before the client sees it, so that nothing weaker than the deciding line demands gets through.

import type { ByteString } from '../bytestring.ts';
import { GatehouseError } from '../errors.ts';
import { authentication } from '../protocol/codes.ts';
import { decodeLoginMessage, LoginMessages, type LoginMessage } from '../protocol/login-messages.ts';
import type { UpstreamDemand } from '../rules/types.ts';
import { destroyOnAbort } from './deadline.ts';
import { readNoMore, type UpstreamLink } from './dial.ts';
import { closedEarly } from './dial-errors.ts';

export interface LoginOptions {
  /** The StartupMessage to send. */
  readonly startup: Buffer;
  /** What the deciding line wants the upstream to ask the client for, at least. */
  readonly demand: UpstreamDemand;
  /** As the client named itself, for the text of a refusal. */
  readonly user: ByteString;
  /** Sends one whole message to the client. */
  readonly send: (message: Buffer) => void;
  /** AuthenticationOk has come and satisfies the demand; it has not been sent yet. */
  readonly onAuthenticated: () => void;
  /** Ends the login with its reason. */
  readonly signal: AbortSignal;
}

/** What a finished login leaves behind. */
export interface Login {
  /** Null when the upstream sent no BackendKeyData: nothing can be cancelled then. */
  readonly cancelKey: { readonly pid: number; readonly key: Buffer } | null;
  /** What the upstream sent behind its ReadyForQuery; belongs to the client. */
  readonly rest: Buffer;
}

/**
 * Sends the startup and relays the upstream's answers, each checked first, until ReadyForQuery. The link then holds
 * what comes next until its `receive` is replaced and its socket resumed.
 *
 * @throws GatehouseError `upstream-refused` once the upstream's own ErrorResponse has been sent on,
 *   `upstream-authentication-too-weak`, `upstream-closed-early`, `upstream-timeout`, `upstream-protocol-violation`,
 *   or whatever the socket was destroyed with
 */
export async function logIn(link: UpstreamLink, options: LoginOptions): Promise<Login> {
  const messages = new LoginMessages();
  const guard = new AuthenticationGuard(options.demand, options.user);
  let cancelKey: Login['cancelKey'] = null;

  /** Returns true for ReadyForQuery. */
  const handle = (raw: Buffer): boolean => {
    const message = decodeLoginMessage(raw);
    guard.check(message);
    if (message.kind === 'backend-key-data') cancelKey = { pid: message.pid, key: message.key };
    if (message.kind === 'authentication' && message.code === authentication.ok) options.onAuthenticated();
    options.send(Buffer.from(raw));
    if (message.kind === 'error') throw refusedByUpstream(message);
    return message.kind === 'ready-for-query';
  };

  /** Returns true once the login is over. */
  const take = (bytes: Buffer): boolean => {
    messages.push(bytes);
    for (let raw = messages.next(); raw !== null; raw = messages.next()) {
      if (handle(raw)) return true;
    }
    return false;
  };

  const { socket } = link;
  const stopWatching = destroyOnAbort(socket, options.signal);
  const { promise: loggedIn, resolve, reject } = Promise.withResolvers<void>();
  const onClosed = (): void => reject(closedEarly());
  const onError = (error: Error): void =>
    reject(error instanceof GatehouseError ? error : closedEarly(error));
  link.receive = (length, slab) => {
    link.answered();
    let over: boolean;
    try {
      over = take(slab.subarray(0, length));
    } catch (error) {
      reject(error);
      return false;
    }
    if (!over) return true;
    // What comes next waits in the kernel for the relay.
    link.receive = readNoMore;
    resolve();
    return false;
  };
  socket.on('end', onClosed).on('close', onClosed).on('error', onError);
  try {
    if (socket.destroyed) onClosed();
    socket.write(options.startup);
    socket.resume();
    await loggedIn;
  } finally {
    link.answered();
    stopWatching();
    socket.off('end', onClosed).off('close', onClosed).off('error', onError);
  }
  return { cancelKey, rest: messages.rest };
}

/** Weakest to strongest; what the upstream asked for must not stand before what the line demands. */
const STRENGTH: Record<UpstreamDemand, number> = { none: 0, password: 1, md5: 2, 'scram-sha-256': 3 };

/** Holds the upstream to what the deciding pg_hba.conf line demands (contract §3). Unknown proofs prove nothing. */
class AuthenticationGuard {
  readonly #demand: UpstreamDemand;
  readonly #user: ByteString;
  #asked: UpstreamDemand = 'none';
  #saslFinished = false;
  #authenticated = false;

  constructor(demand: UpstreamDemand, user: ByteString) {
    this.#demand = demand;
    this.#user = user;
  }

  /** @throws GatehouseError `upstream-authentication-too-weak`, `upstream-protocol-violation` */
  check(message: LoginMessage): void {
    if (message.kind === 'ready-for-query' && !this.#authenticated) {
      throw violation('ReadyForQuery before AuthenticationOk');
    }
    if (message.kind !== 'authentication') return;
    if (this.#authenticated) throw violation('an Authentication message behind AuthenticationOk');
    switch (message.code) {
      case authentication.ok:
        // SECURITY: a SASL exchange counts only once the upstream has proved that it knows the password too.
        if (this.#asked === 'scram-sha-256' && !this.#saslFinished) this.#asked = 'none';
        this.#require();
        this.#authenticated = true;
        return;
      case authentication.cleartextPassword:
        this.#asked = 'password';
        break;
      case authentication.md5Password:
        this.#asked = 'md5';
        break;
      case authentication.sasl:
        this.#asked = message.mechanisms.some((name) => name.startsWith('SCRAM-SHA-256'))
          ? 'scram-sha-256'
          : 'none';
        break;
      case authentication.saslContinue:
        return;
      case authentication.saslFinal:
        this.#saslFinished = true;
        return;
      default:
        this.#asked = 'none';
    }
    // Checked when it is asked, not only at the end: a password must not travel in a weaker form than demanded.
    this.#require();
  }

  /** SECURITY: without this a line that says scram-sha-256 would admit whoever the upstream trusts. */
  #require(): void {
    if (STRENGTH[this.#asked] >= STRENGTH[this.#demand]) return;
    const asked = this.#asked === 'none' ? 'no password' : this.#asked;
    throw new GatehouseError('upstream-authentication-too-weak', {
      reply: `authentication failed for user "${this.#user}": the upstream server does not ask for ${this.#demand}`,
      message: `the upstream server asks for ${asked} where the deciding line demands ${this.#demand}`,
      hint: "Let the upstream server's own pg_hba.conf demand that method for connections from this host.",
    });
  }
}

function violation(what: string): GatehouseError {
  return new GatehouseError('upstream-protocol-violation', {
    reply: 'the upstream server violated the protocol',
    message: `the upstream server violated the protocol: ${what}`,
  });
}

function refusedByUpstream(error: { sqlstate: string | null; message: ByteString }): GatehouseError {
  return new GatehouseError('upstream-refused', {
    message: `the upstream server refused the login: ${error.message}`,
    fields: { upstream_sqlstate: error.sqlstate },
  });
}
