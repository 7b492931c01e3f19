// What a server says between the startup packet and the first query: AuthenticationOk, ParameterStatus, BackendKeyData,
// and ReadyForQuery.

import { fromText } from '../../base/bytestring.ts';
import { encodeMessage, int32 } from '../message.ts';

export const AUTHENTICATION_OK = encodeMessage('R', int32(0));

export function encodeParameterStatus(name: string, value: string): Buffer {
  return encodeMessage('S', `${name}\0${fromText(value)}\0`);
}

/** @param key four bytes, or 32 from protocol 3.2 on */
export function encodeBackendKeyData(pid: number, key: Buffer): Buffer {
  return encodeMessage('K', Buffer.concat([int32(pid), key]));
}

/** `I` = outside a transaction, `T` = in one, `E` = in one that has failed. */
export type TransactionStatus = 'I' | 'T' | 'E';

export function encodeReadyForQuery(status: TransactionStatus): Buffer {
  return encodeMessage('Z', status);
}
