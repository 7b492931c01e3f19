// PostgreSQL's sentences about a decision, byte for byte (semantics §6). User and database go back to the client
// as the bytes they came as.

import { fromText } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import { isSameAddress } from './address.ts';
import { never } from './never.ts';
import type { DirectoryMethod, Facts, HbaRecord, Method, UnsupportedMethod } from './types.ts';

/** FATAL for a connection that no record matches (semantics §6.3). */
export function noEntryMessage(facts: Facts): ByteString {
  return facts.replication === 'physical'
    ? `no pg_hba.conf entry for replication connection from host ${party(facts)}`
    : `no pg_hba.conf entry for host ${party(facts)}`;
}

/** FATAL for a connection that a reject record matches (semantics §6.2). */
export function rejectMessage(facts: Facts): ByteString {
  return facts.replication === 'physical'
    ? `pg_hba.conf rejects replication connection for host ${party(facts)}`
    : `pg_hba.conf rejects connection for host ${party(facts)}`;
}

function party(facts: Facts): ByteString {
  const database = facts.replication === 'physical' ? '' : `, database "${facts.database}"`;
  const encryption = facts.tls ? 'SSL encryption' : 'no encryption';
  return `"${fromText(facts.addressText)}", user "${facts.user}"${database}, ${encryption}`;
}

/** DETAIL of the log for no entry: what became of the name look-ups; null when there were none (semantics §6.3). */
export function hostNameDetail({ hostName, address }: Facts): ByteString | null {
  switch (hostName.state) {
    case 'unknown':
      return null;
    case 'unresolvable':
      return fromText(`Could not resolve client IP address to a host name: ${hostName.reason}.`);
    case 'resolved':
      break;
  }
  const { name, forward } = hostName;
  switch (forward.state) {
    case 'failed':
      return fromText(`Could not translate client host name "${name}" to IP address: ${forward.reason}.`);
    case 'unknown':
      return fromText(`Client IP address resolved to "${name}", forward lookup not checked.`);
    case 'resolved': {
      const verdict = forward.addresses.some((a) => isSameAddress(a, address)) ? 'matches' : 'does not match';
      return fromText(`Client IP address resolved to "${name}", forward lookup ${verdict}.`);
    }
    default:
      return never(forward);
  }
}

/** DETAIL of the log for every refusal that a record decided (semantics §6.5). */
export function matchedDetail(record: HbaRecord): ByteString {
  return `Connection matched file "${fromText(record.file)}" line ${record.line}: "${record.raw}"`;
}

/** The methods as PostgreSQL's texts name them. */
const METHOD_NAMES: Readonly<Record<DirectoryMethod | UnsupportedMethod, string>> = {
  ldap: 'LDAP',
  pam: 'PAM',
  radius: 'RADIUS',
  bsd: 'BSD',
  gss: 'GSSAPI',
  sspi: 'SSPI',
  oauth: 'OAuth bearer',
  ident: 'Ident',
};

/** The method's own failure (semantics §6.5). */
export function failedMessage(method: Method, user: ByteString): { sqlstate: string; message: ByteString } {
  switch (method) {
    case 'password':
    case 'md5':
    case 'scram-sha-256':
      return { sqlstate: '28P01', message: `password authentication failed for user "${user}"` };
    case 'trust':
      return { sqlstate: '28000', message: `"trust" authentication failed for user "${user}"` };
    case 'cert':
      return { sqlstate: '28000', message: `certificate authentication failed for user "${user}"` };
    case 'peer':
      return { sqlstate: '28000', message: `Peer authentication failed for user "${user}"` };
    case 'reject':
      return { sqlstate: '28000', message: `authentication failed for user "${user}": host rejected` };
    case 'ldap':
    case 'pam':
    case 'radius':
    case 'bsd':
    case 'gss':
    case 'sspi':
    case 'oauth':
    case 'ident':
      return {
        sqlstate: '28000',
        message: `${METHOD_NAMES[method]} authentication failed for user "${user}"`,
      };
    default:
      return never(method);
  }
}

/** `connection authenticated: …` of the log (semantics §6.6); without an identity, PostgreSQL's form for trust. */
export function authenticatedMessage(
  record: HbaRecord,
  identity: ByteString | null,
  user: ByteString,
): ByteString {
  const who = identity === null ? `user="${user}"` : `identity="${identity}"`;
  return `connection authenticated: ${who} method=${record.method} (${fromText(record.file)}:${record.line})`;
}
