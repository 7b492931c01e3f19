// Logins at a gate whose upstream is moved by the test itself, step by step, so that a test can look at what has arrived
// before it lets the upstream go on.

import type { Gate } from '../support/run/gate.ts';
import {
  authentication,
  authenticationCleartextPassword,
  authenticationMd5Password,
  authenticationOk,
  authenticationSasl,
  backendKeyData,
  readyForQuery,
} from '../support/peers/messages.ts';
import type { RawClient } from '../support/peers/raw-client.ts';

/** The methods of pg_hba.conf that demand a proof of the upstream. */
export const PASSWORD_METHODS = ['password', 'md5', 'scram-sha-256'] as const;
export type PasswordMethod = (typeof PASSWORD_METHODS)[number];

/** What an upstream of each method asks for, in order; each wants one answer. */
export const REQUESTS: Readonly<Record<PasswordMethod, readonly Buffer[]>> = {
  password: [authenticationCleartextPassword()],
  md5: [authenticationMd5Password()],
  'scram-sha-256': [authenticationSasl(), authentication(11, Buffer.from('r=,s=,i=1'))],
};

/** What the upstream says last before AuthenticationOk, without waiting for an answer. */
export const PROOF: Readonly<Record<PasswordMethod, readonly Buffer[]>> = {
  password: [],
  md5: [],
  'scram-sha-256': [authentication(12, Buffer.from('v='))],
};

/** AuthenticationOk to ReadyForQuery. */
export const LET_IN: readonly Buffer[] = [
  authenticationOk(),
  backendKeyData(1, Buffer.from('abcd')),
  readyForQuery(),
];

/** One line for each password method, for a database of its name, with and without TLS. */
export const PASSWORD_LINES = PASSWORD_METHODS.map(
  (method) => `host ${method} all 127.0.0.1/32 ${method}\n`,
).join('');

/** An upstream's script that leaves everything to the test. */
export function byHand(): void {}

/**
 * Lets the gate's event loop turn: it has answered two requests that were sent after everything that the test has sent
 * before, so it has read all of that, if it reads it at all, and has sent on what it does send on.
 */
export async function turn(gate: Gate): Promise<void> {
  await gate.admin('/healthz');
  await gate.admin('/healthz');
}

/** Sends bytes cut at `cut`, or each by itself where `cut` is `bytes`, so that the gate reads the pieces apart. */
export async function sendCut(
  gate: Gate,
  client: RawClient,
  bytes: Buffer,
  cut: number | 'bytes',
): Promise<void> {
  if (cut === 'bytes') return client.sendByteByByte(bytes);
  if (cut > 0 && cut < bytes.length) {
    await client.send(bytes.subarray(0, cut));
    await turn(gate);
  }
  await client.send(cut < bytes.length ? bytes.subarray(cut) : bytes);
}
