// A live session as the admin listener shows it: plain data, so that a worker can hand it to another process.

import type { SessionRow } from '../admin/gate-view.ts';
import { toText } from '../base/bytestring.ts';
import type { Session } from './sessions.ts';

/** The session's row of GET /sessions. */
export function sessionRow(session: Session): SessionRow {
  const { tls } = session;
  const certificate = tls?.certificate.state === 'verified' ? tls.certificate.identity.facts : null;
  const bytes = session.bytes();
  return {
    id: session.id,
    user: toText(session.user),
    database: toText(session.database),
    client_addr: session.clientAddress,
    client_port: session.clientPort,
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
  };
}
