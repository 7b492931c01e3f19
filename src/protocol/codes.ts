// The numbers of PostgreSQL's frontend/backend protocol that the gate has to know (src/include/libpq/pqcomm.h,
// protocol.h). Names are PostgreSQL's.

/** Int32 codes that stand where a StartupMessage has its protocol version. */
export const CANCEL_REQUEST_CODE = (1234 << 16) | 5678;
export const NEGOTIATE_SSL_CODE = (1234 << 16) | 5679;
export const NEGOTIATE_GSS_CODE = (1234 << 16) | 5680;

/** Length limits of the first packet; the length word counts itself. */
export const MIN_STARTUP_PACKET_LENGTH = 8;
export const MAX_STARTUP_PACKET_LENGTH = 10_004;

/** CancelRequest: length word, code and pid, then a key of 1 to 256 bytes (PostgreSQL 18). */
export const MIN_CANCEL_REQUEST_LENGTH = 12;
export const MAX_CANCEL_KEY_LENGTH = 256;

/** First byte of a TLS handshake record: what a direct TLS connection begins with. */
export const TLS_HANDSHAKE_RECORD = 0x16;

/** The one protocol version that the gate speaks, to both sides: 3.0 (a legacy server knows no other). */
export const PROTOCOL_3_0 = 3 << 16;

/** Bytes of a message's header: type byte and Int32 length, which counts itself and not the type. */
export const MESSAGE_HEADER_LENGTH = 5;

/** Type bytes of the backend messages that the gate looks at. */
export const backendMessage = {
  authentication: 0x52, // R
  backendKeyData: 0x4b, // K
  errorResponse: 0x45, // E
  noticeResponse: 0x4e, // N
  notificationResponse: 0x41, // A
  parameterStatus: 0x53, // S
  readyForQuery: 0x5a, // Z
} as const;

/** Type byte of the frontend messages that answer a request for a password, SASL and GSSAPI included. */
export const frontendMessage = {
  password: 0x70, // p
} as const;

/** Int32 that follows the header of an Authentication message. */
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
