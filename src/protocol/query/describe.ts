// Describe (`D`) and Close (`C`): both name a statement or a portal. CloseComplete (`3`) answers the latter.

import type { ByteString } from '../../base/bytestring.ts';
import { encodeMessage } from '../message.ts';
import { MessageFormatError, MessageReader } from '../message-reader.ts';

export interface TargetMessage {
  readonly kind: 'statement' | 'portal';
  readonly name: ByteString;
}

/** @throws MessageFormatError */
export function decodeTarget(body: Buffer): TargetMessage {
  const reader = new MessageReader(body);
  const type = reader.byte();
  const name = reader.string();
  reader.end();
  if (type !== 'S' && type !== 'P') throw new MessageFormatError(`invalid subtype ${type.charCodeAt(0)}`);
  return { kind: type === 'S' ? 'statement' : 'portal', name };
}

export const CLOSE_COMPLETE = encodeMessage('3');
