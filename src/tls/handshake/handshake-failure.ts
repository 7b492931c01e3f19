// What a failed TLS handshake is called: PostgreSQL's log text around OpenSSL's reason, one code, and what the client
// had offered (semantics §2.10).

import type { Code } from '../../base/codes.ts';
import { GatehouseError } from '../../base/errors.ts';
import { decodeClientHello, offeredFields } from './client-hello.ts';
import { errorWords } from '../material/load-problem.ts';
import type { TlsMaterial } from '../types.ts';

/** OpenSSL's reasons for which PostgreSQL hints at the versions. */
const hintedReasons: ReadonlySet<string> = new Set([
  'no protocols available',
  'unsupported protocol',
  'bad protocol version number',
  'unknown protocol',
  'unknown ssl version',
  'unsupported ssl version',
  'wrong ssl version',
  'wrong version number',
  'version too high',
  'version too low',
  'tlsv1 alert protocol version',
]);

const codesByReason: ReadonlyMap<string, Code> = new Map<string, Code>([
  ['no shared cipher', 'tls-no-shared-cipher'],
  ['no suitable key share', 'tls-no-shared-group'],
  ['no suitable groups', 'tls-no-shared-group'],
  ['no shared groups', 'tls-no-shared-group'],
  ['no application protocol', 'tls-alpn-mismatch'],
]);

/** Content types of TLS records: change_cipher_spec, alert, handshake, application_data. */
const FIRST_RECORD_TYPE = 0x14;
const LAST_RECORD_TYPE = 0x17;

/**
 * @param error Node's; null when the client closed the connection
 * @param opening the bytes the handshake began with
 */
export function handshakeFailure(
  error: Error | null,
  opening: Uint8Array,
  { minProtocolVersion, maxProtocolVersion }: TlsMaterial,
): GatehouseError {
  const reason = error === null ? EOF_REASON : failureReason(error);
  return new GatehouseError(failureCode(reason, opening), {
    message: `could not accept SSL connection: ${reason}`,
    ...(hintedReasons.has(reason)
      ? {
          hint: `This may indicate that the client does not support any SSL protocol version between ${minProtocolVersion} and ${maxProtocolVersion}.`,
        }
      : {}),
    fields: offeredFields(decodeClientHello(opening)),
    ...(error === null ? {} : { cause: error }),
  });
}

const EOF_REASON = 'EOF detected';
const RESET_REASON = 'Connection reset by peer';

function failureReason(error: Error): string {
  // Node's error for a socket that closed without one.
  if (error.message === 'socket hang up') return EOF_REASON;
  return errorWords(error, 'unrecognized SSL error');
}

function failureCode(reason: string, opening: Uint8Array): Code {
  if (reason === EOF_REASON || reason === RESET_REASON) return 'tls-eof';
  if (reason !== 'wrong version number' && hintedReasons.has(reason)) return 'tls-version-mismatch';
  if (!beginsLikeTls(opening)) return 'tls-not-tls';
  // OpenSSL names the alerts it receives `tlsv1 alert …`, `sslv3 alert …` or `ssl/tls alert …`.
  return (
    codesByReason.get(reason) ?? (reason.includes(' alert ') ? 'tls-client-alert' : 'tls-handshake-failed')
  );
}

function beginsLikeTls([type = 0, major = 3]: Uint8Array): boolean {
  return type >= FIRST_RECORD_TYPE && type <= LAST_RECORD_TYPE && major === 3;
}
