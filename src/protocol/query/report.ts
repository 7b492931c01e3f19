// ErrorResponse and NoticeResponse as a session gets them that goes on: the severity is not FATAL.

import { fromText } from '../../base/bytestring.ts';
import { encodeMessage } from '../message.ts';

export interface Report {
  readonly severity: 'ERROR' | 'WARNING' | 'NOTICE';
  readonly sqlstate: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
}

/** ErrorResponse for an ERROR, else NoticeResponse. */
export function encodeReport({ severity, sqlstate, message, detail, hint }: Report): Buffer {
  const fields = [
    `S${severity}`,
    `V${severity}`,
    `C${sqlstate}`,
    `M${fromText(message)}`,
    ...(detail === undefined ? [] : [`D${fromText(detail)}`]),
    ...(hint === undefined ? [] : [`H${fromText(hint)}`]),
  ].map((field) => field.replaceAll('\0', ''));
  return encodeMessage(severity === 'ERROR' ? 'E' : 'N', `${fields.join('\0')}\0\0`);
}
