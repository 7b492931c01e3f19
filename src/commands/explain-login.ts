// What `explain` says of the login after the rules' verdict: which side checks the password, whether the gate can answer
// the upstream (contract §12), and whom the console lets in (contract §14).

import type { PasswordMethod } from '../auth/password-check.ts';
import { canAnswer } from '../auth/upstream-proof.ts';
import type { Secret } from '../auth/secret.ts';
import { toText, type ByteString } from '../base/bytestring.ts';
import type { Passwords } from '../config/secrets.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { Admission } from '../rules/types.ts';
import { consoleRefusal, consoleRole } from '../session/console-access.ts';
import { methodDecidedHere } from '../session/password-step.ts';
import type { ConsoleRole } from '../session/process-state.ts';

/** Who decides on the password, and what the upstream is answered with. */
type LoginForecast =
  /** The gate decides. It answers what the upstream asks, as far as `answers` goes. */
  | { readonly kind: 'secret'; readonly secret: Secret['kind']; readonly answers: readonly string[] }
  /** The gate decides, and every password is refused: no secret lets the user pass this line. */
  | { readonly kind: 'refused' }
  /** What the upstream asks goes to the client. */
  | { readonly kind: 'relayed' };

/** The same at the console, where no upstream asks for anything. */
export type ConsoleForecast =
  | { readonly kind: 'console'; readonly role: ConsoleRole }
  /** Every password is refused, as above. */
  | { readonly kind: 'refused' }
  /** The console refuses the client, which by then has proved the password that its line asks for. */
  | { readonly kind: 'denied'; readonly code: NonNullable<ReturnType<typeof consoleRefusal>> };

/** The login at the upstream that an admitted client is before. */
export function forecastLogin(
  admission: Admission,
  user: ByteString,
  passwords: Passwords | null,
): LoginForecast {
  const method = methodDecidedHere(admission, passwords);
  const secret = passwords?.secrets.get(user) ?? { kind: 'none' as const };
  if (method === null && (admission.demand !== 'none' || secret.kind === 'none')) return { kind: 'relayed' };
  if (method !== null && !passes(secret, method)) return { kind: 'refused' };
  return { kind: 'secret', secret: secret.kind, answers: canAnswer(secret, method) };
}

/** What the console makes of an admitted client. */
export function forecastConsole(
  admission: Admission,
  user: ByteString,
  { settings, passwords }: Pick<Snapshot, 'settings' | 'passwords'>,
): ConsoleForecast {
  const method = methodDecidedHere(admission, passwords);
  if (method !== null && !passes(passwords?.secrets.get(user), method)) return { kind: 'refused' };
  const code = consoleRefusal(settings, user, method === null ? admission.demand : 'none');
  return code === null ? { kind: 'console', role: consoleRole(settings, user) } : { kind: 'denied', code };
}

/** Whether some password lets the user pass a line of this method. */
function passes(secret: Secret | undefined, method: PasswordMethod): boolean {
  if (secret === undefined || secret.kind === 'none') return false;
  return !(method === 'scram-sha-256' && secret.kind === 'md5');
}

/** What becomes of a client that is admitted. */
export type AdmittedForecast = LoginForecast | Exclude<ConsoleForecast, { readonly kind: 'denied' }>;

const SECRETS: Readonly<Record<Secret['kind'], string>> = {
  none: 'no secret',
  plain: 'a plain password',
  md5: 'an MD5 hash',
  scram: 'a SCRAM secret',
};

/** The setting that lets somebody in to the console. */
export function consoleList(role: ConsoleRole): string {
  return role === 'admin' ? 'admin_users' : 'stats_users';
}

/** The forecast as `explain` prints it. */
export function loginLine(
  forecast: AdmittedForecast,
  { record, demand }: Admission,
  user: ByteString,
): string {
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
    case 'console':
      return `decided here by method ${record.method}: the console lets in "${toText(user)}", who is in ${consoleList(forecast.role)}`;
    default:
      return forecast satisfies never;
  }
}
