// What is logged, and told by `check`, of a pg_hba.conf that is valid: records that can never match, and those whose
// method means something else here. A record is reported only when it is certain that no connection can reach it.

import { MAX_NAME_BYTES, toText } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import type { Problem } from '../base/problems.ts';
import type { Steps } from '../base/steps.ts';
import { never } from './never.ts';
import { problemAt } from './bad-line.ts';
import { roleExists } from './roles.ts';
import { Shadows } from './shadows.ts';
import type { HbaOptions } from './hba.ts';
import type { DirectoryMethod, HbaRecord, Place, Roles, UserSpec } from './types.ts';

/** All warnings, in the order of the records. */
export function* findWarnings(records: readonly HbaRecord[], options: HbaOptions): Steps<Problem[]> {
  const shadows = new Shadows();
  const warnings: Problem[] = [];
  for (const record of records) {
    yield;
    for (const warning of warningsOf(record, options, shadows)) warnings.push(warning);
  }
  return summedUp(warnings);
}

/** Lines that a summed-up warning names. */
const MAX_LINES = 8;

/**
 * Warnings of one text and one file as one, at the first of their lines, so that the rest can be read: nine in ten of
 * real files' warnings say of each local line that it cannot match.
 */
export function summedUp(warnings: readonly Problem[]): Problem[] {
  const kinds = Map.groupBy(warnings, ({ file, message }) => `${file}\n${message}`);
  return [...kinds.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const lines = others.flatMap(({ line }) => (line === null || line === first.line ? [] : [line]));
    return lines.length === 0 ? [first] : [{ ...first, message: `${first.message} (also ${listed(lines)})` }];
  });
}

function listed(lines: readonly number[]): string {
  const shown = lines.slice(0, MAX_LINES).join(', ');
  const more = lines.length > MAX_LINES ? ` and ${lines.length - MAX_LINES} more` : '';
  return `${lines.length === 1 ? 'line' : 'lines'} ${shown}${more}`;
}

function warningsOf(record: HbaRecord, options: HbaOptions, shadows: Shadows): Problem[] {
  const typeWarnings = warnOfType(record, options.ssl);
  if (typeWarnings.length > 0) return typeWarnings;
  const warnings = [
    ...warnOfMethod(record),
    ...warnOfDatabases(record, options.roles),
    ...warnOfUsers(record, record.users, options.roles),
  ];
  const shadow = shadows.add(record);
  if (shadow !== null) {
    const where =
      shadow.file === record.file ? `line ${shadow.line}` : `line ${shadow.line} of file "${shadow.file}"`;
    warnings.push(problemAt(record, `record cannot match because ${where} matches everything that it does`));
  }
  return warnings;
}

function warnOfType(record: HbaRecord, ssl: boolean): Problem[] {
  switch (record.type) {
    case 'local':
      return [
        problemAt(record, 'local record cannot match because there is no Unix-domain socket to listen on'),
      ];
    case 'hostgssenc':
      return [
        problemAt(record, 'hostgssenc record cannot match because GSSAPI is not supported by this build'),
      ];
    case 'hostssl':
      return ssl
        ? []
        : [problemAt(record, 'hostssl record cannot match because SSL is disabled', 'Set "ssl" to "on".')];
    case 'host':
    case 'hostnossl':
    case 'hostnogssenc':
      return [];
    default:
      return never(record.type);
  }
}

/** What a line means here whose method is carried out elsewhere, or not at all (contract §3). */
function warnOfMethod(record: HbaRecord): Problem[] {
  switch (record.method) {
    case 'ldap':
    case 'pam':
    case 'radius':
    case 'bsd':
      return [
        problemAt(
          record,
          `${record.method} record means password here: the upstream server must ask its clients for a password`,
          `The upstream server goes on asking ${DIRECTORIES[record.method]}: it needs this line for the gate's address.`,
        ),
      ];
    case 'gss':
    case 'sspi':
    case 'oauth':
    case 'ident':
      return [
        problemAt(
          record,
          `${record.method} record refuses every client that it matches because pg-gatehouse does not support this method`,
          'Later lines are not tried for them. Write cert, or a password method that the upstream server asks for.',
        ),
      ];
    case 'reject':
    case 'trust':
    case 'cert':
    case 'password':
    case 'md5':
    case 'scram-sha-256':
    case 'peer':
      return [];
    default:
      return never(record.method);
  }
}

const DIRECTORIES: Readonly<Record<DirectoryMethod, string>> = {
  ldap: 'its LDAP server',
  pam: 'PAM',
  radius: 'its RADIUS server',
  bsd: 'its system',
};

function warnOfDatabases(record: HbaRecord, roles: Roles | null): Problem[] {
  return record.databases.flatMap((spec) => {
    if (spec.kind === 'name') return warnOfLongName(record, spec.name, 'database');
    if (spec.kind !== 'samerole' || roles === null || roles.size > 0) return [];
    return [
      problemAt(
        record,
        `samerole matches nobody but a user of the database's name because "roles" lists no role`,
      ),
    ];
  });
}

/** Warnings of user tokens: roles that nothing is known of, and names that no connection can have. */
export function warnOfUsers(place: Place, users: readonly UserSpec[], roles: Roles | null): Problem[] {
  return users.flatMap((spec) => {
    if (spec.kind === 'name') return warnOfLongName(place, spec.name, 'user');
    if (spec.kind !== 'member' || roles === null || roleExists(spec.role, roles)) return [];
    const role = toText(spec.role);
    return [
      problemAt(
        place,
        `"+${role}" matches nobody but a user of that name because "roles" does not list the role "${role}"`,
        'List its members under "roles", or set "auth_user" to have the upstream asked for them.',
      ),
    ];
  });
}

function warnOfLongName(place: Place, name: ByteString, what: 'database' | 'user'): Problem[] {
  if (name.length <= MAX_NAME_BYTES) return [];
  return [
    problemAt(
      place,
      `${what} "${toText(name)}" matches nobody because names are cut to ${MAX_NAME_BYTES} bytes`,
    ),
  ];
}
