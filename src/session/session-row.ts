// A live session as the admin listener shows it: plain data, so that a worker can hand it to another process.

import type { BackendStatus } from '../protocol/message-boundary.ts';
import { toText } from '../base/bytestring.ts';
import type { ClientFacts } from '../x509/types.ts';
import type { Session } from './sessions.ts';

/** What a session does, as pg_stat_activity.state words it; or `terminating` = it is about to be ended. */
export type SessionState = BackendStatus | 'terminating';

/**
 * One live session, as GET /sessions shows it: the columns of pg_stat_ssl, and those of pg_stat_activity that the gate
 * knows (contract §5). Text is text already (`toText`); the TLS columns are null for a plaintext session.
 */
export interface SessionRow {
  readonly id: string;
  readonly user: string;
  /** Empty for physical replication. */
  readonly database: string;
  readonly client_addr: string;
  readonly client_port: number;
  /** The load balancer that has declared the client (contract §9); null where the client has connected itself. */
  readonly proxy_addr: string | null;
  readonly proxy_port: number | null;
  readonly application_name: string;
  /** ISO 8601. */
  readonly backend_start: string;
  /** The pg_hba.conf line that admitted it. */
  readonly rule: { readonly file: string; readonly line: number };
  /** From the client. */
  readonly bytes_in: number;
  /** To the client. */
  readonly bytes_out: number;
  readonly state: SessionState;
  /** It would be refused by what a reload has brought (contract §2, reload; §17). */
  readonly no_longer_admitted: boolean;
  /** What the last reload has found; `not-judged` = nobody can say, so it goes on. */
  readonly judgement: 'admitted' | 'no-longer-admitted' | 'not-judged';
  /** Why it would be refused or could not be judged; null when it is admitted. */
  readonly judgement_reason: string | null;
  readonly version: string | null;
  readonly cipher: string | null;
  readonly bits: number | null;
  readonly client_dn: string | null;
  /** Decimal. */
  readonly client_serial: string | null;
  readonly issuer_dn: string | null;
  /** The upstream's process (BackendKeyData); null until the login is over, or where the upstream has named none. */
  readonly upstream_pid: number | null;
}

/** What the console's tables show beyond GET /sessions; a console is among them. */
export interface FullSessionRow extends SessionRow {
  readonly is_console: boolean;
  readonly replication: boolean;
  /** Names as pg_stat_ssl has them, whole; null without a certificate. */
  readonly certificate: {
    readonly subject: string;
    readonly issuer: string;
    /** ISO 8601. */
    readonly not_before: string;
    readonly not_after: string;
  } | null;
}

export function fullSessionRow(session: Session): FullSessionRow {
  const facts = certificateOf(session);
  return {
    ...sessionRow(session),
    is_console: session.console !== null,
    replication: session.facts.replication !== 'none',
    certificate:
      facts === null
        ? null
        : {
            subject: facts.subjectName,
            issuer: facts.issuerName,
            not_before: facts.notBefore.toISOString(),
            not_after: facts.notAfter.toISOString(),
          },
  };
}

function certificateOf({ tls }: Session): ClientFacts | null {
  return tls?.certificate.state === 'verified' ? tls.certificate.identity.facts : null;
}

/** The session's row of GET /sessions. */
export function sessionRow(session: Session): SessionRow {
  const { tls } = session;
  const certificate = certificateOf(session);
  const bytes = session.bytes();
  return {
    id: session.id,
    user: toText(session.user),
    database: toText(session.database),
    client_addr: session.clientAddress,
    client_port: session.clientPort,
    proxy_addr: session.proxyAddress,
    proxy_port: session.proxyPort,
    application_name: toText(session.applicationName),
    backend_start: session.startedAt.toISOString(),
    rule: { file: session.record.file, line: session.record.line },
    bytes_in: bytes.in,
    bytes_out: bytes.out,
    state: session.terminating ? 'terminating' : session.status(),
    no_longer_admitted: session.judgement.kind === 'no-longer-admitted',
    judgement: session.judgement.kind,
    judgement_reason: session.judgement.kind === 'admitted' ? null : session.judgement.reason,
    version: tls?.version ?? null,
    cipher: tls?.cipher ?? null,
    bits: tls?.bits ?? null,
    client_dn: certificate?.subjectDn ?? null,
    client_serial: certificate?.serial ?? null,
    issuer_dn: certificate?.issuerDn ?? null,
    upstream_pid: session.pid,
  };
}
