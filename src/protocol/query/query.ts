// Query (`Q`): statements as one text. EmptyQueryResponse (`I`) answers one without any.

import type { ByteString } from '../../base/bytestring.ts';
import { encodeMessage } from '../message.ts';
import { MessageReader } from '../message-reader.ts';

/** @throws MessageFormatError */
export function decodeQuery(body: Buffer): ByteString {
  const reader = new MessageReader(body);
  const query = reader.string();
  reader.end();
  return query;
}

export const EMPTY_QUERY_RESPONSE = encodeMessage('I');
