// What `explain` says of the login after the rules' verdict (contract §12): which side checks the password, and whether
// the gate can answer the upstream.

import { canAnswer } from '../auth/upstream-proof.ts';
import type { Secret } from '../auth/secret.ts';
import { toText, type ByteString } from '../base/bytestring.ts';
import type { Passwords } from '../config/secrets.ts';
import type { Admission } from '../rules/types.ts';
import { methodDecidedHere } from '../session/password-step.ts';

/** Who decides on the password, and what the upstream is answered with. */
export type LoginForecast =
  /** The gate decides. It answers what the upstream asks, as far as `answers` goes. */
  | { readonly kind: 'secret'; readonly secret: Secret['kind']; readonly answers: readonly string[] }
  /** The gate decides, and every password is refused: no secret lets the user pass this line. */
  | { readonly kind: 'refused' }
  /** What the upstream asks goes to the client. */
  | { readonly kind: 'relayed' };

/** The login that an admitted client is before. */
export function forecastLogin(
  admission: Admission,
  user: ByteString,
  passwords: Passwords | null,
): LoginForecast {
  const method = methodDecidedHere(admission, passwords);
  const secret = passwords?.secrets.get(user) ?? { kind: 'none' as const };
  if (method === null && (admission.demand !== 'none' || secret.kind === 'none')) return { kind: 'relayed' };
  const passes = secret.kind !== 'none' && !(method === 'scram-sha-256' && secret.kind === 'md5');
  if (method !== null && !passes) return { kind: 'refused' };
  return { kind: 'secret', secret: secret.kind, answers: canAnswer(secret, method) };
}

const SECRETS: Readonly<Record<Secret['kind'], string>> = {
  none: 'no secret',
  plain: 'a plain password',
  md5: 'an MD5 hash',
  scram: 'a SCRAM secret',
};

/** The forecast as `explain` prints it. */
export function loginLine(forecast: LoginForecast, { record, demand }: Admission, user: ByteString): string {
  switch (forecast.kind) {
    case 'relayed':
      return demand === 'none'
        ? `admitted: method ${record.method}; the upstream may still ask for a password of its own`
        : `admitted to the upstream, which must ask for ${demand} or stronger`;
    case 'refused':
      return `decided here by method ${record.method}: every password is refused, since auth_file has no secret of "${toText(user)}" that fits`;
    case 'secret': {
      const { answers, secret } = forecast;
      const able = answers.length === 0 ? 'it can answer none' : `it can answer ${answers.join(', ')}`;
      return `decided here by method ${record.method}; where the upstream asks for a password, the gate answers with what auth_file has of "${toText(user)}" (${SECRETS[secret]}): ${able}`;
    }
    default:
      return forecast satisfies never;
  }
}
