// The step between the rules' verdict and the upstream where auth_file is set: a password line is decided here, and
// what is known of the user is kept for the upstream's own question (contract §12).

import { isDeepStrictEqual } from 'node:util';
import type { PasswordMethod } from '../auth/password-check.ts';
import type { ScramChannel } from '../auth/scram-server.ts';
import type { Secret } from '../auth/secret.ts';
import type { ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import type { Passwords } from '../config/secrets.ts';
import { matchedDetail } from '../rules/texts.ts';
import type { Admission } from '../rules/types.ts';
import type { TlsMaterial } from '../tls/types.ts';
import { serverEndPoint } from '../x509/end-point.ts';
import type { AnswerSource } from './login.ts';
import { checkPassword, type PasswordLine, type Shown } from './check-password.ts';
import type { Connection } from './connection.ts';
import { UpstreamAnswers } from './upstream-answers.ts';
import { findSecret } from './upstream-catalog.ts';

/** A password that the client has proved, and what it was proved against. */
export interface Proof {
  readonly method: PasswordMethod;
  readonly secret: Secret | null;
  readonly shown: Shown;
}

/** The method of a line that the gate decides itself; null where it asks for no password, or the upstream decides. */
export function methodDecidedHere({ record }: Admission, passwords: Passwords | null): PasswordMethod | null {
  if (passwords === null) return null;
  const { method } = record;
  return method === 'password' || method === 'md5' || method === 'scram-sha-256' ? method : null;
}

/** What the client has to prove. */
export interface PasswordDemand {
  readonly method: PasswordMethod;
  readonly passwords: Passwords;
  /** The user's, by the state in force; null = the user is not known. */
  readonly secret: Secret | null;
  /** What the client has proved while another state was in force. */
  readonly earlier: Proof | null;
  /** It is the client's turn: its last answer, where there was one, has been looked at. */
  readonly onAsk: () => void;
  readonly onAnswer: PasswordLine['onAnswer'];
}

/**
 * Has the client prove its password as a line demands. A client that has proved one before a reload is not asked again:
 * no driver expects a second exchange.
 *
 * SECURITY: what it has proved counts only where the line in force asks for the same proof of the same secret.
 *
 * @throws GatehouseError as checkPassword, or `stale-handshake` where the earlier proof does not count any more
 */
export async function provePassword(
  connection: Connection,
  user: ByteString,
  admission: Admission,
  { method, passwords, secret, earlier, onAsk, onAnswer }: PasswordDemand,
): Promise<Proof> {
  const { gate, life, client } = connection;
  if (earlier !== null) {
    if (earlier.method === method && isDeepStrictEqual(earlier.secret, secret)) return earlier;
    throw proofIsStale();
  }
  const shown = await checkPassword(client, {
    method,
    user,
    secret,
    iterations: passwords.iterations,
    mockNonce: passwords.mockNonce,
    salted: gate.salted,
    channel: channelOf(connection),
    matched: matchedDetail(admission.record),
    onStep: (step) => {
      if (step === 'asked') {
        onAsk();
        gate.strangers.progress(life);
      } else gate.strangers.answered(life);
    },
    onAnswer,
    signal: life.signal,
  });
  gate.strangers.working(life);
  return { method, secret, shown };
}

/** What a client has proved before a reload counts no more. One that connects again is asked anew. */
export function proofIsStale(): GatehouseError {
  return new GatehouseError('stale-handshake', {
    reply: "the gate's rules or passwords have changed, please reconnect",
  });
}

/**
 * What the upstream can be answered with; null where its questions are relayed to the client, as for a user who has no
 * secret, and for a line whose password is the upstream's to check. auth_query is asked only once the upstream asks.
 */
export function answersFor(
  { gate, block, life }: Connection,
  user: ByteString,
  admission: Admission,
  { passwords, proof }: { readonly passwords: Passwords | null; readonly proof: Proof | null },
): AnswerSource | null {
  if (passwords === null || (proof === null && admission.demand !== 'none')) return null;
  const answer = (secret: Secret | null): UpstreamAnswers | null => {
    if (secret === null || secret.kind === 'none') return null;
    const { shownPassword = null, shownKey = null } = proof?.shown ?? {};
    return new UpstreamAnswers({ user, secret, shownPassword, shownKey }, gate.salted);
  };
  const secret = proof?.secret ?? passwords.secrets.get(user);
  if (secret === undefined) return async () => answer(await findSecret(gate, user, block, life.signal));
  // Each login has answers of its own: one may be made again (contract §15).
  return answer(secret) === null ? null : () => Promise.resolve(answer(secret));
}

/** What was read of the server's certificate, by the material that it belongs to: it is read once, not at each login. */
const channels = new WeakMap<TlsMaterial, ScramChannel>();

/**
 * SECURITY: the certificate is the one that this very connection was shown, whichever the files have by now. The material
 * is that of its own handshake, and has one certificate.
 */
function channelOf({ material, log: { tls } }: Connection): ScramChannel {
  if (tls === null) return { isTls: false, endPoint: null };
  const known = material === null ? undefined : channels.get(material);
  if (known !== undefined) return known;
  const der = tls.socket.getX509Certificate()?.raw;
  // SECURITY: the socket of a client that has gone has none. Kept, this would take channel binding from everybody.
  if (der === undefined) return { isTls: true, endPoint: null };
  const channel = { isTls: true, endPoint: serverEndPoint(der) };
  if (material !== null) channels.set(material, channel);
  return channel;
}
