// Execute (`E`): runs a portal, with a limit of rows. PortalSuspended (`s`) says that there are more.

import type { ByteString } from '../../base/bytestring.ts';
import { encodeMessage } from '../message.ts';
import { MessageReader } from '../message-reader.ts';

export interface ExecuteMessage {
  readonly portal: ByteString;
  /** 0 = no limit. */
  readonly maxRows: number;
}

/** @throws MessageFormatError */
export function decodeExecute(body: Buffer): ExecuteMessage {
  const reader = new MessageReader(body);
  const portal = reader.string();
  const maxRows = reader.int32();
  reader.end();
  return { portal, maxRows: Math.max(0, maxRows) };
}

export const PORTAL_SUSPENDED = encodeMessage('s');
