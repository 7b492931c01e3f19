// What the matching record demands of the client, in PostgreSQL's order (semantics §6): certificate present,
// then the method, then the certificate's name. Passwords are the upstream's business; the record's demand on
// it goes out with the admission (contract §3, §7.11).

import type { CertificateNames } from '../x509/types.ts';
import type { ByteString } from '../base/bytestring.ts';
import { fixedAnswer, type Code } from '../base/codes.ts';
import type { Steps } from '../base/steps.ts';
import type { Applicant } from './match.ts';
import { never } from './never.ts';
import { failedMessage, matchedDetail, rejectMessage } from './texts.ts';
import type {
  Admission,
  ClientName,
  HbaRecord,
  IdentMaps,
  LookUp,
  Method,
  Refusal,
  UpstreamDemand,
} from './types.ts';
import { checkUserMap, linesOfMap, type Mapping } from './usermap.ts';

/** PostgreSQL's log lines of one refusal: a certificate with many names gets no more than this. */
const MAX_NOTES = 8;

/** The verdict of the record that matched the connection. */
export function* authenticate(
  record: HbaRecord,
  ident: IdentMaps,
  applicant: Applicant,
): Steps<Admission | Refusal | LookUp> {
  const { facts } = applicant;
  if (record.clientCert !== 'off') {
    // Before the method, so also for reject (semantics §6.1).
    if (!facts.hasRootCertificates) {
      return refuse(record, 'client-cert-no-root', fixedAnswer('client-cert-no-root'));
    }
    // SECURITY: a certificate in the facts has been verified; none means that the client sent none.
    if (facts.certificate === null) {
      return refuse(record, 'client-cert-required', fixedAnswer('client-cert-required'));
    }
  }
  switch (record.method) {
    case 'reject':
      return refuse(record, 'hba-reject', { sqlstate: '28000', message: rejectMessage(facts) });
    case 'peer':
      // Stands on local records only, which never match; were one to match, it must not admit.
      return refuse(record, 'hba-reject', failedMessage('peer', facts.user));
    case 'trust':
      return yield* checkName(record, ident, applicant, null);
    case 'cert':
      return yield* checkName(record, ident, applicant, facts.certificate?.dn ?? null);
    case 'password':
    case 'md5':
    case 'scram-sha-256':
    case 'ldap':
    case 'pam':
    case 'radius':
    case 'bsd':
      return yield* checkName(record, ident, applicant, facts.user);
    case 'gss':
    case 'sspi':
    case 'oauth':
    case 'ident':
      // SECURITY: the line has matched, so it decides. If the search went on, a later `trust` line might admit a client
      // that this line would have made prove itself.
      return refuse(record, 'hba-method-not-supported', {
        sqlstate: '28000',
        message: `authentication method "${record.method}" is not supported by pg-gatehouse`,
      });
    default:
      return never(record.method);
  }
}

/** What a line of this method demands of the upstream, at least; null = it admits nobody. */
export function demandOf(method: Method): UpstreamDemand | null {
  switch (method) {
    case 'trust':
    case 'cert':
      return 'none';
    case 'password':
    case 'md5':
    case 'scram-sha-256':
      return method;
    case 'ldap':
    case 'pam':
    case 'radius':
    case 'bsd':
      // These ask for a password in clear, and so must the upstream (contract §3).
      return 'password';
    case 'reject':
    case 'peer':
    case 'gss':
    case 'sspi':
    case 'oauth':
    case 'ident':
      return null;
    default:
      return never(method);
  }
}

/** Admits, after the check of the certificate's name where the record is verify-full (semantics §6.4). */
function* checkName(
  record: HbaRecord,
  ident: IdentMaps,
  applicant: Applicant,
  identity: ByteString | null,
): Steps<Admission | Refusal | LookUp> {
  const demand = demandOf(record.method);
  // SECURITY: a method without a demand admits nobody, by whatever way it came here.
  if (demand === null)
    return refuse(record, 'hba-reject', failedMessage(record.method, applicant.facts.user));
  if (record.clientCert !== 'verify-full') {
    return { kind: 'admit', record, demand, identity, mapRecord: null };
  }
  const { user, certificate } = applicant.facts;
  const failure = failedMessage(record.method, user);
  const names = certificate === null ? [] : namesOf(certificate, record.clientName);
  const [firstName] = names;
  if (firstName === undefined) {
    const note = `certificate authentication failed for user "${user}": client certificate contains no user name`;
    return refuse(record, 'client-cert-no-name', failure, [note]);
  }
  // A certificate without a subject is known by its name.
  const certIdentity = record.method === 'cert' ? identity || firstName : null;
  const found = yield* findMapping(record, names, ident, applicant);
  if (found.kind === 'match') {
    return { kind: 'admit', record, demand, identity: certIdentity ?? identity, mapRecord: found.record };
  }
  if (found.kind === 'unknown') return { kind: 'look-up', want: 'roles' };
  const notes =
    record.method === 'cert'
      ? found.notes
      : [
          ...found.notes,
          `certificate validation (clientcert=verify-full) failed for user "${user}": ${record.clientName} mismatch`,
        ];
  return refuse(record, 'client-cert-name-mismatch', failure, notes, certIdentity);
}

type Found =
  | Extract<Mapping, { kind: 'match' | 'unknown' }>
  | { readonly kind: 'none'; readonly notes: readonly ByteString[] };

/** The first of the certificate's names that may be the user; a line that cannot be carried out ends the search. */
function* findMapping(
  record: HbaRecord,
  names: readonly ByteString[],
  ident: IdentMaps,
  applicant: Applicant,
): Steps<Found> {
  const notes: ByteString[] = [];
  let open: Found | null = null;
  const lines = record.map === null ? [] : linesOfMap(record.map, ident);
  for (const name of names) {
    const mapping = yield* checkUserMap(record.map, lines, name, applicant);
    if (mapping.kind === 'match') return mapping;
    if (mapping.kind === 'unknown') {
      open = mapping;
      continue;
    }
    if (notes.length < MAX_NOTES) notes.push(mapping.note);
    if (mapping.kind === 'error') break;
  }
  return open ?? { kind: 'none', notes };
}

/** The names that `clientname` reads; empty ones are none (semantics §6.4, contract §3). */
export function namesOf(certificate: CertificateNames, clientName: ClientName): readonly ByteString[] {
  return namesByKind(certificate, clientName).filter(
    (name): name is ByteString => name !== null && name !== '',
  );
}

function namesByKind(certificate: CertificateNames, clientName: ClientName): readonly (ByteString | null)[] {
  switch (clientName) {
    case 'CN':
      return [certificate.cn];
    case 'DN':
      return [certificate.dn];
    case 'URI':
      return certificate.uri;
    case 'DNS':
      return certificate.dns;
    case 'EMAIL':
      return certificate.email;
    default:
      return never(clientName);
  }
}

function refuse(
  record: HbaRecord,
  code: Code,
  reply: { readonly sqlstate: string; readonly message: ByteString },
  notes: readonly ByteString[] = [],
  identity: ByteString | null = null,
): Refusal {
  return { kind: 'refuse', code, record, ...reply, detail: matchedDetail(record), notes, identity };
}
