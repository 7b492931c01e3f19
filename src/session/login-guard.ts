// Holds the upstream's login to what the deciding line of pg_hba.conf demands. Without it a line that says
// scram-sha-256 would let a client in whom the upstream asks for nothing.

import type { ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import { authentication } from '../protocol/authentication.ts';
import type { LoginMessage } from '../protocol/login-messages.ts';
import { violation } from '../protocol/violation.ts';
import type { UpstreamDemand } from '../rules/types.ts';

/** From weakest to strongest: the upstream must ask for at least what the line demands. */
export const STRENGTH: Readonly<Record<UpstreamDemand, number>> = {
  none: 0,
  password: 1,
  md5: 2,
  'scram-sha-256': 3,
};

/**
 * Follows the upstream's messages of one login and refuses it where the upstream demands less than the line (contract
 * §3). A method that the guard does not know counts as no password.
 */
export class LoginGuard {
  readonly #demand: UpstreamDemand;
  readonly #user: ByteString;
  #asked: UpstreamDemand = 'none';
  #saslFinished = false;
  #authenticated = false;

  constructor(demand: UpstreamDemand, user: ByteString) {
    this.#demand = demand;
    this.#user = user;
  }

  /** Whether AuthenticationOk has come. */
  get isAuthenticated(): boolean {
    return this.#authenticated;
  }

  /**
   * Judges the next message, before the client sees it.
   *
   * @param isOwed whether the client has yet to answer the last request
   * @throws GatehouseError `upstream-authentication-too-weak`, `upstream-protocol-violation`
   */
  check(message: LoginMessage, isOwed: boolean): void {
    if (message.kind === 'ready-for-query' && !this.#authenticated) {
      throw violation('ReadyForQuery before AuthenticationOk');
    }
    if (message.kind === 'backend-key-data' && !this.#authenticated) {
      throw violation('BackendKeyData before AuthenticationOk');
    }
    if (message.kind !== 'authentication') return;
    if (this.#authenticated) throw violation('an Authentication message after AuthenticationOk');
    switch (message.code) {
      case authentication.ok:
        // SECURITY: a SASL exchange counts only once the upstream too has proved that it knows the password.
        if (this.#asked === 'scram-sha-256' && !this.#saslFinished) this.#asked = 'none';
        // SECURITY: an upstream that does not wait for the answer has checked nothing.
        if (isOwed) this.#asked = 'none';
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
        this.#asked = isScram(message.mechanisms) ? 'scram-sha-256' : 'none';
        this.#saslFinished = false;
        break;
      case authentication.saslContinue:
        return;
      case authentication.saslFinal:
        this.#saslFinished = true;
        return;
      default:
        this.#asked = 'none';
    }
    // Checked at the request too, not only at the end: the password must never travel in a weaker form than demanded.
    this.#require();
  }

  /** SECURITY: without this a line that says scram-sha-256 would admit everybody whom the upstream trusts. */
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

/** SECURITY: the client chooses. Where one mechanism of the offer is weaker, the client may have used that one. */
function isScram(mechanisms: readonly string[]): boolean {
  return mechanisms.length > 0 && mechanisms.every((name) => name.startsWith('SCRAM-SHA-256'));
}
