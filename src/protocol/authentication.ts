// Authentication messages (`R`): what a server asks its client for, and what the client may answer.

import { fromBytes, type ByteString } from '../base/bytestring.ts';
import { encodeMessage, int32, MESSAGE_HEADER_LENGTH } from './message.ts';
import { MessageFormatError, MessageReader } from './message-reader.ts';
import { violation } from './violation.ts';

/** The Int32 that follows the header, by PostgreSQL's names. */
export const authentication = {
  ok: 0,
  cleartextPassword: 3,
  md5Password: 5,
  gss: 7,
  gssContinue: 8,
  sspi: 9,
  sasl: 10,
  saslContinue: 11,
  saslFinal: 12,
} as const;

/** The length word of a password or of a GSSAPI token, at most (PG_MAX_AUTH_TOKEN_LENGTH). */
export const MAX_AUTH_TOKEN_LENGTH = 65_535;

/** The length word of a SCRAM message, at most (PG_MAX_SASL_MESSAGE_LENGTH). */
const MAX_SCRAM_MESSAGE_LENGTH = 1_024;

/** One Authentication message. */
export interface AuthenticationMessage {
  readonly kind: 'authentication';
  /** PostgreSQL's AuthRequest; any number where the server has a method that the gate does not know. */
  readonly code: number;
  /** Empty but with SASL. */
  readonly mechanisms: readonly ByteString[];
}

/**
 * Reads one whole message.
 *
 * @throws GatehouseError `upstream-protocol-violation` where it is too short, or is an AuthenticationOk with more in it
 */
export function decodeAuthentication(raw: Buffer): AuthenticationMessage {
  const body = raw.subarray(MESSAGE_HEADER_LENGTH);
  if (body.length < 4) throw violation('a short Authentication message');
  const code = body.readInt32BE();
  // SECURITY: only the exact message is the end of an authentication.
  if (code === authentication.ok && body.length !== 4) {
    throw violation('an AuthenticationOk of the wrong length');
  }
  const mechanisms = code === authentication.sasl ? decodeMechanisms(body.subarray(4)) : [];
  return { kind: 'authentication', code, mechanisms };
}

/** Names, each ended by a NUL, and one NUL more at the end. */
function decodeMechanisms(list: Buffer): ByteString[] {
  const reader = new MessageReader(list);
  const mechanisms: ByteString[] = [];
  try {
    for (let name = reader.string(); name !== ''; name = reader.string()) mechanisms.push(name);
    // SECURITY: after its end another reader might find mechanisms that are weaker than those that were judged.
    reader.end();
  } catch (error) {
    if (!(error instanceof MessageFormatError)) throw error;
    throw violation('a malformed list of SASL mechanisms', error);
  }
  return mechanisms;
}

/** @param data what follows the code: a salt, the names of mechanisms, a SASL message */
export function encodeAuthentication(code: number, data: ByteString = ''): Buffer {
  return encodeMessage('R', fromBytes(int32(code)) + data);
}

/** What the client owes the upstream after an Authentication message. */
export interface AnswerRequest {
  /** As PostgreSQL names it where something else comes: `expected SASL response, got message type 81`. */
  readonly what: 'password' | 'SASL' | 'GSS';
  /** The length word of the answer, at most. */
  readonly maxLength: number;
}

/**
 * Says whether an Authentication message wants an answer. Only AuthenticationOk and the end of a SASL exchange want
 * none. A request that the gate does not know is answered like a password, and proves nothing.
 */
export function requestedAnswer(
  { code, mechanisms }: AuthenticationMessage,
  last: AnswerRequest | null,
): AnswerRequest | null {
  switch (code) {
    case authentication.ok:
    case authentication.saslFinal:
      return null;
    case authentication.sasl: {
      const isScram = mechanisms.every((name) => name.startsWith('SCRAM-'));
      return { what: 'SASL', maxLength: isScram ? MAX_SCRAM_MESSAGE_LENGTH : MAX_AUTH_TOKEN_LENGTH };
    }
    case authentication.saslContinue:
      return last ?? { what: 'SASL', maxLength: MAX_SCRAM_MESSAGE_LENGTH };
    case authentication.gss:
    case authentication.gssContinue:
    case authentication.sspi:
      return { what: 'GSS', maxLength: MAX_AUTH_TOKEN_LENGTH };
    default:
      return { what: 'password', maxLength: MAX_AUTH_TOKEN_LENGTH };
  }
}
