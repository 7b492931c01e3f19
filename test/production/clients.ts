// What the tests of running a gate have in common: sessions that answer, and what they and the gate say of themselves.

import type { Gate, SessionRow } from '../support/run/gate.ts';
import { query, type RawClient } from '../support/peers/raw-client.ts';
import { readyForQuery, type UpstreamConnection } from '../support/peers/scripted-upstream.ts';
import { PATIENCE_MS } from '../support/run/waiting.ts';

/** An upstream that lets everybody in and answers each message with ReadyForQuery. */
export async function answering(connection: UpstreamConnection): Promise<void> {
  await connection.readStartup();
  await connection.acceptLogin();
  for (;;) {
    await connection.readMessage(10 * PATIENCE_MS);
    await connection.send(readyForQuery());
  }
}

/** Whether a session still does what a session does. */
export async function answers(client: RawClient): Promise<boolean> {
  await client.send(query('select 1'));
  return (await client.readMessage()).type === 'Z';
}

/** Of the certificate that the gate has shown to a client. */
export function serverSerial(client: RawClient): string | undefined {
  return client.tls.getPeerX509Certificate()?.serialNumber.toLowerCase();
}

/** POST /reload: resolves when the reload is over. */
export async function reloaded(
  gate: Gate,
): Promise<{ readonly ok: boolean; readonly errors?: readonly unknown[] }> {
  const { body } = await gate.admin('/reload', { method: 'POST' });
  const answer: { ok: boolean; errors?: unknown[] } = JSON.parse(body);
  return answer;
}

/** The states of GET /sessions, by user. */
export function states(rows: readonly SessionRow[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(rows.map(({ user, state }) => [String(user), state]));
}

/** What the last reload has found of the sessions in GET /sessions, by user. */
export function judgements(rows: readonly SessionRow[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(rows.map(({ user, judgement }) => [String(user), judgement]));
}
