// ReadyForQuery (`Z`): the session waits for the client's next message.

import { encodeMessage, MESSAGE_HEADER_LENGTH } from './message.ts';
import { violation } from './violation.ts';

/** `I` = outside a transaction, `T` = in one, `E` = in one that has failed. */
export type TransactionStatus = 'I' | 'T' | 'E';

/** @throws GatehouseError `upstream-protocol-violation` where a whole message is not one status byte */
export function checkReadyForQuery(raw: Buffer): void {
  if (raw.length !== MESSAGE_HEADER_LENGTH + 1) throw violation('a ReadyForQuery of the wrong length');
}

export function encodeReadyForQuery(status: TransactionStatus): Buffer {
  return encodeMessage('Z', status);
}
