// SSLRequest and GSSENCRequest: packets that ask for encryption before the StartupMessage. One byte answers them.

import { encodePacket } from './message.ts';

/** The codes that stand where a StartupMessage has its protocol version. */
export const NEGOTIATE_SSL_CODE = (1234 << 16) | 5679;
export const NEGOTIATE_GSS_CODE = (1234 << 16) | 5680;

/** First byte of a TLS handshake record: a direct TLS connection begins with it and sends no SSLRequest. */
export const TLS_HANDSHAKE_RECORD = 0x16;

/** The answers. */
export const ACCEPT_SSL = Buffer.from('S');
export const REFUSE_ENCRYPTION = Buffer.from('N');

/** SSLRequest, as the gate itself asks the upstream. */
export function encodeSslRequest(): Buffer {
  return encodePacket(NEGOTIATE_SSL_CODE);
}
