// What a connection has to do with failed authentications (contract §10): which address they count with, what counts,
// and the refusal.

import type { Code } from '../base/codes.ts';
import { GatehouseError } from '../base/errors.ts';
import { addressBlock, isLoopback } from '../rules/address.ts';
import type { BanLimits } from './bans.ts';
import type { Connection } from './connection.ts';

/**
 * Failures that count. Left out are lacks of the gate's own, which every client meets (no root certificate, a list that
 * is missing or overdue): a ban would outlast the repair. So are closing instead of a password, limits, a drain, and an
 * upstream that is down (decision 86).
 */
const COUNTED: ReadonlySet<Code> = new Set<Code>([
  'client-cert-untrusted',
  'client-cert-self-signed',
  'client-cert-expired',
  'client-cert-not-yet-valid',
  'client-cert-revoked',
  'client-cert-wrong-purpose',
  'client-cert-nul-in-name',
  'client-cert-invalid',
  'client-cert-required',
  'client-cert-no-name',
  'client-cert-name-mismatch',
  'hba-reject',
  'hba-no-entry',
  'password-authentication-failed',
]);

const WRONG_PASSWORD = '28P01';

/**
 * Refuses a client whose address has failed too often, before any rule is asked.
 *
 * @throws GatehouseError `address-banned`
 */
export async function refuseBanned(connection: Connection): Promise<void> {
  const address = countedAddress(connection);
  if (address !== null && (await connection.gate.bans.refuses(address))) throw banned();
}

/**
 * What comes before an answer to a password request is looked at or sent on: the turn of its address.
 *
 * SECURITY: without turns an address could make as many guesses side by side as there may be handshakes.
 *
 * @returns null where no limit is set, and so nothing to wait for; else a function that throws GatehouseError
 *   `address-banned`, `client-gave-up`, or the life's reason
 */
export function beforeEachAnswer(connection: Connection): (() => Promise<void>) | null {
  return countedAddress(connection) === null ? null : async () => await takeTurn(connection);
}

async function takeTurn(connection: Connection): Promise<void> {
  const { gate, raw, life } = connection;
  const address = countedAddress(connection);
  if (address === null || connection.guessOf !== null) return;
  for (;;) {
    const turn = await gate.bans.guess(address, limitsOf(connection));
    const isOver = raw.destroyed || life.signal.aborted;
    if (turn === 'later' && !isOver) continue;
    // Nothing gives the turn of a connection that is over back later.
    if (turn === 'go' && isOver) gate.bans.ended(address);
    life.signal.throwIfAborted();
    if (raw.destroyed) throw new GatehouseError('client-gave-up');
    if (turn !== 'go') throw banned();
    connection.guessOf = address;
    return;
  }
}

/** The verdict on the last answer has counted, or the client is asked for another: the next of its address may go on. */
export function endTurn(connection: Connection): void {
  const { gate, guessOf } = connection;
  if (guessOf === null) return;
  connection.guessOf = null;
  gate.bans.ended(guessOf);
}

/**
 * The client has proved itself, so its address's failures are forgotten.
 *
 * @throws GatehouseError `address-banned` where it is refused by now
 */
export async function authenticated(connection: Connection): Promise<void> {
  const address = countedAddress(connection);
  if (address !== null && (await connection.gate.bans.succeeded(address))) throw banned();
  endTurn(connection);
}

/** Counts a failure where it is one of authentication. Resolves before the client is told, and never rejects. */
export async function countFailure(connection: Connection, failure: GatehouseError): Promise<void> {
  const address = countedAddress(connection);
  if (address === null || connection.isCancel || !isCounted(failure)) return;
  // Where the first process does not answer, this one is about to end.
  await connection.gate.bans.failed(address, limitsOf(connection)).catch(() => undefined);
}

function isCounted({ code, sqlstate, fields }: GatehouseError): boolean {
  if (COUNTED.has(code)) return true;
  // An empty password is a wrong one.
  if (code === 'password-exchange-invalid') return sqlstate === WRONG_PASSWORD;
  return code === 'upstream-refused' && fields['upstream_sqlstate'] === WRONG_PASSWORD;
}

/**
 * With what the connection's failures count; null where nothing is counted. SECURITY: never with the address of a load
 * balancer, which would shut out everyone who comes by it, nor with this machine's own.
 */
function countedAddress({ gate, log, address }: Connection): string | null {
  if (gate.snapshot().settings.max_authentication_failures_per_address === 0) return null;
  const isSenderItself = log.proxy !== null && log.proxy.address === null;
  return isSenderItself || isLoopback(address) ? null : addressBlock(address);
}

/** Only the three: settings hold functions, which no other process can be sent. */
function limitsOf({ gate }: Connection): BanLimits {
  const { settings } = gate.snapshot();
  return {
    max_authentication_failures_per_address: settings.max_authentication_failures_per_address,
    authentication_failures_window: settings.authentication_failures_window,
    authentication_ban_time: settings.authentication_ban_time,
  };
}

function banned(): GatehouseError {
  return new GatehouseError('address-banned');
}
