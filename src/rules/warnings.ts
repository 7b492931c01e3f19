// What `check` warns of in a pg_hba.conf that is valid: records that can never match. Sound rather than
// complete: a record is only reported when it is certain that no connection can reach it.

import { MAX_NAME_BYTES, toText } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import type { Problem } from '../base/errors.ts';
import type { Steps } from '../base/steps.ts';
import { never } from './never.ts';
import { problemAt } from './bad-line.ts';
import { roleExists } from './roles.ts';
import { Shadows } from './shadows.ts';
import type { HbaRecord, Place, Roles, UserSpec } from './types.ts';

/** All warnings, in the order of the records. */
export function* findWarnings(
  records: readonly HbaRecord[],
  options: { readonly ssl: boolean; readonly roles: Roles },
): Steps<Problem[]> {
  const shadows = new Shadows();
  const warnings: Problem[] = [];
  for (const record of records) {
    yield;
    for (const warning of warningsOf(record, options, shadows)) warnings.push(warning);
  }
  return warnings;
}

function warningsOf(
  record: HbaRecord,
  options: { readonly ssl: boolean; readonly roles: Roles },
  shadows: Shadows,
): Problem[] {
  const typeWarnings = warnOfType(record, options.ssl);
  if (typeWarnings.length > 0) return typeWarnings;
  const warnings = [
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

function warnOfDatabases(record: HbaRecord, roles: Roles): Problem[] {
  return record.databases.flatMap((spec) => {
    if (spec.kind === 'name') return warnOfLongName(record, spec.name, 'database');
    if (spec.kind !== 'samerole' || roles.size > 0) return [];
    return [problemAt(record, 'samerole matches nobody because "roles" lists no role')];
  });
}

/** Warnings of user tokens: roles that nothing is known of, and names that no connection can have. */
export function warnOfUsers(place: Place, users: readonly UserSpec[], roles: Roles): Problem[] {
  return users.flatMap((spec) => {
    if (spec.kind === 'name') return warnOfLongName(place, spec.name, 'user');
    if (spec.kind !== 'member' || roleExists(spec.role, roles)) return [];
    const role = toText(spec.role);
    return [problemAt(place, `"+${role}" matches nobody because "roles" does not list the role "${role}"`)];
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
