// Bind (`B`): gives a prepared statement its parameters and names the portal. BindComplete (`2`) answers it.

import type { ByteString } from '../../base/bytestring.ts';
import { encodeMessage } from '../message.ts';
import { MessageReader } from '../message-reader.ts';

/** How a value travels. */
export type Format = 'text' | 'binary';

export interface BindMessage {
  /** '' = the unnamed portal. */
  readonly portal: ByteString;
  readonly statement: ByteString;
  /** None = all text, one = of all, else one for each parameter. */
  readonly parameterFormats: readonly Format[];
  /** Null = SQL's NULL. */
  readonly parameters: readonly (Buffer | null)[];
  /** The same for the columns of the result. */
  readonly resultFormats: readonly Format[];
}

/** @throws MessageFormatError; also for a format code other than 0 and 1 */
export function decodeBind(body: Buffer): BindMessage {
  const reader = new MessageReader(body);
  const portal = reader.string();
  const statement = reader.string();
  const parameterFormats = readFormats(reader);
  const parameters = Array.from({ length: reader.count() }, () => {
    const length = reader.int32();
    return length === -1 ? null : Buffer.from(reader.bytes(length));
  });
  const resultFormats = readFormats(reader);
  reader.end();
  return { portal, statement, parameterFormats, parameters, resultFormats };
}

/** The format of the value at an index. */
export function formatAt(formats: readonly Format[], index: number): Format {
  return (formats.length === 1 ? formats[0] : formats[index]) ?? 'text';
}

function readFormats(reader: MessageReader): Format[] {
  return Array.from({ length: reader.count() }, () => (reader.int16() === 1 ? 'binary' : 'text'));
}

export const BIND_COMPLETE = encodeMessage('2');
