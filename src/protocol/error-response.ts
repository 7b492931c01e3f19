// ErrorResponse (`E`) and NoticeResponse (`N`): one field after another, each a type byte and a string, and a NUL at the
// end. All texts are byte strings: a server that does not know the client's encoding yet sends a name back as it came.

import { fromBytes, fromText, toBytes, type ByteString } from '../base/bytestring.ts';
import { encodeMessage, MESSAGE_HEADER_LENGTH } from './message.ts';

/** Fields of an ErrorResponse that ends its connection. */
export interface ErrorFields {
  readonly sqlstate: string;
  readonly message: ByteString;
  readonly detail?: ByteString | null;
  readonly hint?: ByteString | null;
}

/** ErrorResponse of severity FATAL with the fields S, V, C, M and, where given, D and H. */
export function encodeFatal({ sqlstate, message, detail, hint }: ErrorFields): Buffer {
  return encodeFields('E', 'FATAL', { C: sqlstate, M: message, D: detail || null, H: hint || null });
}

/** The error as a client of protocol 1 or 2 reads it: `E`, text, newline, NUL, and no length. */
export function encodeFatalProtocol2(message: ByteString): Buffer {
  return toBytes(`EFATAL:  ${message}\n\0`);
}

/** An error or notice in a session that goes on. Its texts are ordinary text, sent as UTF-8. */
export interface Report {
  readonly severity: 'ERROR' | 'WARNING' | 'NOTICE';
  readonly sqlstate: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
}

/** ErrorResponse for an ERROR, else NoticeResponse. */
export function encodeReport({ severity, sqlstate, message, detail, hint }: Report): Buffer {
  return encodeFields(severity === 'ERROR' ? 'E' : 'N', severity, {
    C: sqlstate,
    M: fromText(message),
    D: detail === undefined ? null : fromText(detail),
    H: hint === undefined ? null : fromText(hint),
  });
}

function encodeFields(
  type: 'E' | 'N',
  severity: string,
  fields: Readonly<Record<string, ByteString | null>>,
): Buffer {
  const all = Object.entries({ S: severity, V: severity, ...fields });
  const given = all.flatMap(([name, value]) =>
    value === null ? [] : [`${name}${value.replaceAll('\0', '')}\0`],
  );
  return encodeMessage(type, `${given.join('')}\0`);
}

/** An upstream's error as far as the gate reads it. */
export interface UpstreamError {
  /** Null where the server sent none that a log line may show. */
  readonly sqlstate: string | null;
  /** Byte for byte; empty where the server sent none. */
  readonly message: ByteString;
}

/**
 * Reads one whole ErrorResponse, or the first part of a long one. The upstream is not trusted to end its strings: one
 * without a NUL runs to the end of the bytes.
 */
export function decodeErrorResponse(raw: Buffer): UpstreamError {
  const [first = ''] = fromBytes(raw.subarray(MESSAGE_HEADER_LENGTH)).split('\0\0', 1);
  const fields = new Map(first.split('\0').map((field) => [field.slice(0, 1), field.slice(1)]));
  const sqlstate = fields.get('C') ?? '';
  return {
    // Five characters of the SQLSTATE alphabet: it goes into a log line.
    sqlstate: /^[0-9A-Z]{5}$/.test(sqlstate) ? sqlstate : null,
    message: fields.get('M') ?? '',
  };
}
