// Parse (`P`): prepares a statement, named or not. ParseComplete (`1`) answers it.

import type { ByteString } from '../../base/bytestring.ts';
import { encodeMessage } from '../message.ts';
import { MessageReader } from '../message-reader.ts';

export interface ParseMessage {
  /** '' = the unnamed statement. */
  readonly name: ByteString;
  readonly query: ByteString;
  /** Type OIDs that the client gives its parameters; 0 = not said. */
  readonly parameterTypes: readonly number[];
}

/** @throws MessageFormatError */
export function decodeParse(body: Buffer): ParseMessage {
  const reader = new MessageReader(body);
  const name = reader.string();
  const query = reader.string();
  const parameterTypes = Array.from({ length: reader.count() }, () => reader.int32());
  reader.end();
  return { name, query, parameterTypes };
}

export const PARSE_COMPLETE = encodeMessage('1');
