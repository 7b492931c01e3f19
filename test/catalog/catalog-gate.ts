// What the tests of the catalogue have in common: who gets in at a gate, over TLS with a certificate of its own name.

import type { Gate } from '../support/run/gate.ts';
import { runProgram } from '../support/run/program.ts';
import type { Scope } from '../support/run/scope.ts';
import { openClient } from '../session/clients.ts';
import type { Credentials } from '../support/certificates/certificates.ts';

const credentials = new WeakMap<Gate, Map<string, Credentials>>();

/** The certificate of a user, issued once for each gate. */
export function certificateOf(gate: Gate, user: string): Credentials {
  const known = credentials.get(gate) ?? new Map<string, Credentials>();
  credentials.set(gate, known);
  const issued = known.get(user) ?? gate.authority.client(user);
  known.set(user, issued);
  return issued;
}

/** Logs in with a certificate. Returns `in`, or the SQLSTATE and text of the refusal. */
export async function knock(t: Scope, gate: Gate, user: string, database = 'postgres'): Promise<string> {
  const client = await openClient(t, gate, { credentials: certificateOf(gate, user) });
  const { error } = await client.login({ user, database });
  client.destroy();
  return error === null ? 'in' : `${error['C'] ?? ''} ${error['M'] ?? ''}`;
}

/** How long a knocker goes on at most, in milliseconds: no promise, only no test without an end. */
const GIVES_UP_AFTER_MS = 60_000;

/**
 * Knocks, one login after the other, until the answer fits.
 *
 * @returns how long after the begin the last knock began whose answer did not fit, in milliseconds: until then at least
 *   the gate decided otherwise, however long a login takes on this machine; 0 where the first fits
 */
export async function knockUntil(
  t: Scope,
  gate: Gate,
  [user, database]: readonly [user: string, database: string],
  fits: (answer: string) => boolean,
): Promise<number> {
  const begin = performance.now();
  let otherwiseAfter = 0;
  for (;;) {
    const knockedAfter = performance.now() - begin;
    const answer = await knock(t, gate, user, database);
    if (fits(answer)) return otherwiseAfter;
    otherwiseAfter = knockedAfter;
    if (knockedAfter > GIVES_UP_AFTER_MS) throw new Error(`${user} is still answered ${answer}`);
  }
}

/** What `explain --json` says of a user with a certificate. */
export async function explainFor(gate: Gate, user: string, database = 'postgres'): Promise<unknown> {
  const args = ['--user', user, '--database', database, '--address', '127.0.0.1'];
  const { certFile } = certificateOf(gate, user);
  const config = gate.path('gatehouse.yaml');
  const { stdout } = await runProgram(['explain', '--config', config, ...args, '--cert', certFile, '--json']);
  return JSON.parse(stdout);
}
