// What a line makes of what the upstream asks a user for: which of the three logins it will be (contract §17), and whether it
// can be. At the console the gate itself answers, and the line leads to no upstream.

import { canAnswer } from '../auth/upstream-proof.ts';
import { toText, type ByteString } from '../base/bytestring.ts';
import { fixedAnswer } from '../base/codes.ts';
import type { Passwords } from '../config/secrets.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { authentication, type AuthenticationMessage } from '../protocol/authentication.ts';
import { demandOf } from '../rules/authenticate.ts';
import type { Admission, HbaRecord } from '../rules/types.ts';
import { STRENGTH } from '../session/login-guard.ts';
import { consoleList, forecastConsole, forecastLogin, type ConsoleForecast } from './explain-login.ts';

/** What one line makes of it. */
export interface LoginFinding {
  readonly file: string;
  readonly line: number;
  readonly method: string;
  /**
   * `secret` = decided by the gate, which logs in with a secret; `nothing` = decided by the gate, and the upstream asks
   * nothing; `relayed` = the upstream's question goes to the client; `console` = the gate answers the client itself;
   * `refused` = the user does not get in by this line.
   */
  readonly login: 'secret' | 'nothing' | 'relayed' | 'console' | 'refused';
  /** What the upstream asks for is what the line demands, and can be answered; or the console lets the user in. */
  readonly satisfied: boolean;
  /** The same for people. */
  readonly words: string;
}

/** What the upstream has asked for at a login that was tried. */
export interface TriedLogin {
  readonly user: ByteString;
  readonly passwords: Passwords | null;
  /** `nothing`, or a method by its name in pg_hba.conf. */
  readonly asks: string;
  /** Why the upstream has refused the secret that the gate has; null = it has not. */
  readonly refusal: string | null;
}

/** The name that pg_hba.conf has for what the upstream asks. */
export function nameOf({ code, mechanisms }: AuthenticationMessage): string {
  switch (code) {
    case authentication.cleartextPassword:
      return 'password';
    case authentication.md5Password:
      return 'md5';
    case authentication.sasl:
      return mechanisms.every((name) => name.startsWith('SCRAM-SHA-256'))
        ? 'scram-sha-256'
        : mechanisms.map(toText).join(', ');
    case authentication.gss:
      return 'gss';
    case authentication.sspi:
      return 'sspi';
    default:
      return `authentication method ${code}`;
  }
}

/** Judges one line that admits. */
export function judgeLogin(record: HbaRecord, tried: TriedLogin): LoginFinding {
  const { file, line, method } = record;
  return { file, line, method, ...outcomeOf(record, tried) };
}

/** Judges one line that admits to the console. */
export function judgeAtConsole(
  record: HbaRecord,
  user: ByteString,
  state: Pick<Snapshot, 'settings' | 'passwords'>,
): LoginFinding {
  const { file, line, method } = record;
  return { file, line, method, ...consoleOutcome(forecastConsole(admissionBy(record), user, state), user) };
}

function consoleOutcome(forecast: ConsoleForecast, user: ByteString): Outcome {
  switch (forecast.kind) {
    case 'console':
      return {
        login: 'console',
        satisfied: true,
        words: `decided here, and the console lets in "${toText(user)}", who is in ${consoleList(forecast.role)}`,
      };
    case 'denied':
      return { login: 'refused', satisfied: false, words: toText(fixedAnswer(forecast.code).message) };
    case 'refused':
      return noSecretFits(user);
    default:
      return forecast satisfies never;
  }
}

/** The admission of a client that such a line lets in. */
function admissionBy(record: HbaRecord): Admission {
  const demand = demandOf(record.method) ?? 'none';
  return { kind: 'admit', record, demand, identity: null, mapRecord: null };
}

function noSecretFits(user: ByteString): Outcome {
  const words = `decided here, and no secret of "${toText(user)}" fits`;
  return { login: 'refused', satisfied: false, words };
}

type Outcome = Pick<LoginFinding, 'login' | 'satisfied' | 'words'>;

function outcomeOf(record: HbaRecord, tried: TriedLogin): Outcome {
  const { user, passwords, asks } = tried;
  const admission = admissionBy(record);
  const forecast = forecastLogin(admission, user, passwords);
  switch (forecast.kind) {
    case 'refused':
      return noSecretFits(user);
    case 'relayed':
      return relayed(admission.demand, asks);
    case 'secret':
      return asks === 'nothing' ? NOTHING_ASKED : answered(record, tried);
    default:
      return forecast satisfies never;
  }
}

const NOTHING_ASKED: Outcome = {
  login: 'nothing',
  satisfied: true,
  words: 'decided here, and the upstream server asks nothing',
};

function relayed(demand: keyof typeof STRENGTH, asks: string): Outcome {
  if (demand === 'none' && asks === 'nothing') return NOTHING_ASKED;
  const strength = Object.hasOwn(STRENGTH, asks)
    ? Object.entries(STRENGTH).find(([name]) => name === asks)?.[1]
    : 0;
  const satisfied = (strength ?? 0) >= STRENGTH[demand];
  const words = satisfied
    ? `relayed: the client is asked for ${asks}`
    : `relayed, and the upstream server asks for ${asks} where the line demands ${demand}`;
  return { login: 'relayed', satisfied, words };
}

function answered({ method }: HbaRecord, { user, passwords, asks, refusal }: TriedLogin): Outcome {
  const secret = passwords?.secrets.get(user) ?? { kind: 'none' as const };
  const passwordMethod =
    method === 'password' || method === 'md5' || method === 'scram-sha-256' ? method : null;
  const can = canAnswer(secret, passwordMethod);
  const isSameSecret = asks === 'scram-sha-256' && can.includes('scram-sha-256 with the same secret');
  const canLogIn = isSameSecret || can.includes(asks === 'password' ? 'a password in clear' : asks);
  if (!canLogIn)
    return {
      login: 'secret',
      satisfied: false,
      words: `decided here, and the upstream server asks for ${asks}, which the secret of "${toText(user)}" cannot answer`,
    };
  if (refusal !== null) return { login: 'secret', satisfied: false, words: refusal };
  const how = isSameSecret ? ', if the upstream server has the very same one' : '';
  return {
    login: 'secret',
    satisfied: true,
    words: `decided here, and the gate logs in by ${asks} with the secret of "${toText(user)}"${how}`,
  };
}
