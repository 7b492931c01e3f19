// Every way in which a connection can end other than by being relayed. Each has one word, which is the log line's `code`,
// the metric's label and the heading in docs/errors.md, and what belongs to the word: SQLSTATE, level, texts.

import type { ByteString } from './bytestring.ts';
import { entry, type CodeEntry, type CodeWithReply } from './code-entry.ts';

const TOO_MANY_CLIENTS = 'sorry, too many clients already';
const COULD_NOT_CONNECT = 'could not connect to the upstream server';
const COULD_NOT_LOG_IN = 'could not log in to the upstream server';

/** The closed set of codes. docs/errors.md is tested equal to it. */
export const codes = {
  // -- Opening: semantics §1
  'proxy-header-missing': entry(null, 'warn', 'The connection did not begin with a PROXY header.'),
  'proxy-header-invalid': entry(
    null,
    'warn',
    'The PROXY header is broken, or declares an impossible address.',
  ),
  'proxy-header-unsupported': entry(null, 'warn', 'The PROXY header declares no IP address, or no TCP.'),
  'no-startup-packet': entry(
    null,
    'debug',
    'The client closed the connection before its startup packet, as TCP health checks do.',
  ),
  'incomplete-startup-packet': entry(
    null,
    'info',
    'The client closed the connection in the middle of its startup packet.',
  ),
  'invalid-startup-packet-length': entry(
    null,
    'info',
    'The first bytes are not a PostgreSQL packet: the length is outside 8 to 10004.',
  ),
  'invalid-startup-packet-layout': entry(
    '08P01',
    'info',
    'The startup packet does not end with its terminator.',
    'invalid startup packet layout: expected terminator as last byte',
  ),
  'unsupported-protocol': entry(
    '0A000',
    'info',
    'The client asked for a protocol version other than 3, or for TLS or GSSAPI a second time.',
  ),
  'invalid-replication-value': entry(
    '22023',
    'info',
    'The startup parameter replication is neither a boolean nor database.',
  ),
  'no-user-name': entry(
    '28000',
    'info',
    'The startup packet names no user.',
    'no PostgreSQL user name specified in startup packet',
  ),
  'plaintext-after-ssl-request': entry(
    '08P01',
    'warn',
    'Plaintext came after an SSLRequest that was answered N.',
    'received unencrypted data after SSL request',
  ),
  'plaintext-after-gss-request': entry(
    '08P01',
    'warn',
    'Plaintext came after a GSSENCRequest.',
    'received unencrypted data after GSSAPI encryption request',
  ),
  'direct-tls-without-alpn': entry(
    null,
    'info',
    'A direct TLS connection did not offer ALPN, which PostgreSQL demands there.',
  ),
  'direct-tls-disabled': entry(null, 'info', 'A direct TLS connection came while ssl is off.'),
  'invalid-cancel-request': entry(null, 'info', 'The cancel request has a length that no PostgreSQL sends.'),
  'cancel-request': entry(
    null,
    'debug',
    'A cancel request, the whole purpose of its connection; cancel_requests_total says what became of it.',
  ),
  'authentication-timeout': entry(
    null,
    'info',
    'authentication_timeout passed before the upstream accepted the client.',
  ),
  'address-banned': entry(
    '28000',
    'debug',
    'The address has failed to authenticate max_authentication_failures_per_address times and is refused for authentication_ban_time.',
    'too many authentication failures',
  ),
  'handshake-evicted': entry(
    '53300',
    'warn',
    'max_handshakes was reached and this connection had gone longest without progress.',
    TOO_MANY_CLIENTS,
  ),
  'handshake-too-expensive': entry(
    null,
    'warn',
    "Failed handshakes of the client's address have cost too much processor time, so it is refused for a while.",
  ),
  'opening-too-large': entry(
    null,
    'warn',
    'The client sent more bytes below TLS than any opening takes, without a step forward.',
  ),
  // -- TLS: semantics §2
  'tls-eof': entry(null, 'info', 'The client closed the connection during the TLS handshake.'),
  'tls-version-mismatch': entry(null, 'info', 'Client and gate have no TLS version in common.'),
  'tls-no-shared-cipher': entry(null, 'info', 'Client and gate have no cipher in common.'),
  'tls-no-shared-group': entry(null, 'info', 'Client and gate have no key exchange group in common.'),
  'tls-alpn-mismatch': entry(null, 'info', 'The client offers ALPN without postgresql.'),
  'tls-unrecognized-name': entry(
    null,
    'info',
    'No line of pg_hosts.conf is for the host that the client names, or for a client that names none.',
  ),
  'tls-client-alert': entry(
    null,
    'info',
    'The client ended the handshake with an alert, most often because it does not trust the server certificate.',
  ),
  'tls-not-tls': entry(null, 'warn', 'What came where a TLS handshake had to begin is not TLS.'),
  'tls-handshake-failed': entry(
    null,
    'info',
    "The TLS handshake, or the record after it, failed for another reason, which the line gives in OpenSSL's words.",
  ),
  'stale-handshake': entry(
    '57P03',
    'info',
    'A reload changed the TLS files after this connection had begun its handshake; a client that comes again meets the new ones.',
    "the server's certificates have changed, please reconnect",
  ),
  'client-cert-untrusted': entry(
    '28000',
    'warn',
    'The client certificate does not lead to a root in ssl_ca_file.',
  ),
  'client-cert-self-signed': entry(
    '28000',
    'warn',
    'The client certificate, or the root its chain ends in, is self-signed and not in ssl_ca_file.',
  ),
  'client-cert-expired': entry(
    '28000',
    'warn',
    'The client certificate, or one that issued it, has expired.',
  ),
  'client-cert-not-yet-valid': entry(
    '28000',
    'warn',
    'The client certificate, or one that issued it, is not yet valid.',
  ),
  'client-cert-revoked': entry(
    '28000',
    'warn',
    'The client certificate, or one that issued it, is on a revocation list.',
  ),
  'client-cert-wrong-purpose': entry(
    '28000',
    'warn',
    'The certificate may not be used for TLS client authentication.',
  ),
  'client-cert-crl-unavailable': entry(
    '28000',
    'warn',
    "Revocation lists are configured and one of the chain's issuers has none.",
  ),
  'client-cert-crl-expired': entry(
    '28000',
    'error',
    'A revocation list is past its nextUpdate, so no certificate of its issuer can be verified.',
  ),
  'client-cert-nul-in-name': entry('28000', 'warn', "The certificate's common name contains a NUL byte."),
  'client-cert-invalid': entry(
    '28000',
    'warn',
    "The client certificate does not verify for another reason, which the line gives in OpenSSL's words.",
  ),
  // -- Passwords that the gate checks, and its own logins: contract §12, §13
  'password-authentication-failed': entry(
    '28P01',
    'warn',
    'The password is wrong, or the user is not in auth_file or has no password.',
  ),
  'password-exchange-invalid': entry(
    '08P01',
    'info',
    'The client broke the protocol while it was asked for its password.',
  ),
  'upstream-untrusted': entry(
    '28000',
    'error',
    'The upstream did not prove that it knows the secret, or asked for more SCRAM iterations than the gate computes.',
    COULD_NOT_LOG_IN,
  ),
  'upstream-login-impossible': entry(
    '28000',
    'error',
    'The upstream asks for a proof that the secret in auth_file cannot give.',
    COULD_NOT_LOG_IN,
  ),
  'upstream-login-refused': entry(
    '28000',
    'error',
    'The upstream refused the secret that auth_file has for the user.',
    COULD_NOT_LOG_IN,
  ),
  'secrets-unavailable': entry(
    '57P03',
    'error',
    'auth_query could not be asked for the secret of the user.',
    'could not look up the password',
  ),
  'roles-unavailable': entry(
    '57P03',
    'error',
    'The decision needs memberships of a role, and the catalogue of the upstream could not be asked.',
    'could not look up role memberships',
  ),
  // -- Rules: semantics §5 and §6
  'hba-method-not-supported': entry(
    '28000',
    'warn',
    'The line of pg_hba.conf that matches names a method that the gate cannot carry out: gss, sspi, oauth or ident.',
  ),
  'hba-reject': entry('28000', 'info', 'The deciding pg_hba.conf line says reject.'),
  'hba-no-entry': entry('28000', 'info', 'No pg_hba.conf line matches the connection.'),
  'client-cert-required': entry(
    '28000',
    'info',
    'The deciding line demands a client certificate and none was sent.',
    'connection requires a valid client certificate',
  ),
  'client-cert-no-root': entry(
    'F0000',
    'error',
    'The deciding line demands a client certificate and ssl_ca_file is not set.',
    'client certificates can only be checked if a root certificate store is available',
  ),
  'client-cert-no-name': entry(
    '28000',
    'info',
    'The certificate holds no name of the kind the deciding line reads.',
  ),
  'client-cert-name-mismatch': entry(
    '28000',
    'info',
    "The certificate's name is not the user's, nor mapped to it.",
  ),
  'decision-too-expensive': entry(
    '28000',
    'warn',
    "Judging the connection by the rules would cost too much: the certificate's names times the lines of the map.",
    'judging this connection by the rules would take too long',
  ),
  'host-name-timeout': entry(
    null,
    'error',
    "A line names a host, and the resolver gave no answer about the client's name in time.",
  ),
  // -- Limits and the state of the gate
  'too-many-connections': entry('53300', 'warn', 'max_connections sessions are running.', TOO_MANY_CLIENTS),
  'too-many-connections-per-address': entry(
    '53300',
    'warn',
    "max_connections_per_address sessions are running from the client's address.",
    TOO_MANY_CLIENTS,
  ),
  'too-many-open-files': entry(
    null,
    'error',
    "The process's limit of open files leaves no room for one more connection.",
  ),
  'console-denied': entry(
    '42501',
    'warn',
    'A rule admits the user to the console, and neither admin_users nor stats_users names it.',
    'permission denied for the console',
  ),
  'console-password-impossible': entry(
    '28000',
    'warn',
    'The deciding line asks for a password, and without auth_file the console cannot check one.',
    'the console cannot check passwords without auth_file',
  ),
  'console-protocol-violation': entry(
    '08P01',
    'info',
    'A client of the console sent something that is not a message, or one longer than 1 MiB.',
  ),
  'shutting-down': entry(
    '57P03',
    'info',
    'The gate is draining and takes no new sessions.',
    'the database system is shutting down',
  ),
  // -- Upstream
  'upstream-unreachable': entry(
    '08006',
    'error',
    'The upstream refused the connection or could not be reached.',
    COULD_NOT_CONNECT,
  ),
  'upstream-timeout': entry(
    '08006',
    'error',
    'The upstream did not connect or answer within upstream.connect_timeout.',
    COULD_NOT_CONNECT,
  ),
  'upstream-is-this-gate': entry(
    '08006',
    'error',
    'upstream.host and upstream.port lead to a place where this gate itself listens.',
    COULD_NOT_CONNECT,
  ),
  'upstream-closed-early': entry(
    '08006',
    'error',
    'The upstream closed the connection before it answered.',
    'the upstream server closed the connection before it answered',
  ),
  'upstream-protocol-violation': entry(
    '08P01',
    'error',
    'The upstream sent something that no PostgreSQL sends during a login.',
    'the upstream server violated the protocol',
  ),
  'upstream-authentication-too-weak': entry(
    '28000',
    'error',
    'The upstream asked for a weaker proof, or none, than the deciding line demands.',
  ),
  'identity-setting-unclear': entry(
    '42501',
    'warn',
    "The client's `options` may set something under `upstream.identity_prefix`, and servers of different versions would read them differently.",
  ),
  'upstream-refused': entry(
    null,
    'info',
    'The upstream answered the login with an error, which was relayed unchanged.',
  ),
  'client-gave-up': entry(
    null,
    'info',
    'The client closed the connection before the upstream had accepted it.',
  ),
  'invalid-authentication-message': entry(
    '08P01',
    'info',
    'The client sent something other than the answer that the upstream had asked it for.',
  ),
  // -- Ended by the operator or a timer, before or after the relay began
  'admin-terminated': entry(
    '57P01',
    'warn',
    'An administrator, a reload or the end of a drain ended the session.',
    'terminating connection due to administrator command',
  ),
  'idle-session-timeout': entry(
    '57P05',
    'info',
    'No byte passed for idle_session_timeout.',
    'terminating connection due to idle-session timeout',
  ),
  'worker-lost': entry(
    null,
    'error',
    'The worker that served the session died; another has taken its place.',
  ),
  'internal-error': entry('XX000', 'error', 'A defect of the gate; please report it with the log line.'),
} as const satisfies Record<string, CodeEntry>;

/** One word of the closed set. */
export type Code = keyof typeof codes;

/** A code whose client is always told the same. */
type FixedCode = { [C in Code]: (typeof codes)[C] extends CodeWithReply ? C : never }[Code];

/** SQLSTATE and text of a code whose client is always told the same. */
export function fixedAnswer(code: FixedCode): { readonly sqlstate: string; readonly message: ByteString } {
  const { sqlstate, reply } = codes[code];
  return { sqlstate, message: reply };
}
