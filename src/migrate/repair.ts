// Lines that an older server takes and PostgreSQL 18 does not, in today's words.

import type { ByteString } from '../base/bytestring.ts';
import { fieldsOf } from '../rules/scan.ts';
import { methodColumn } from './columns.ts';

/** `clientcert` as a number, which PostgreSQL 12 to 14 read too. */
const CLIENT_CERT = /(?<=[ \t,])clientcert=(0|1|no-verify)(?=[ \t,\r]|$)/;

/** The line in today's words, and what was changed; null where no such change is known. */
export function repaired(line: ByteString): { readonly line: ByteString; readonly reason: string } | null {
  const value = CLIENT_CERT.exec(line)?.[1];
  if (value === undefined) return null;
  const fields = fieldsOf(line);
  // SECURITY: only the method counts. A user of the name cert would take the demand for a certificate away.
  const isCert = fields[methodColumn(fields)]?.[0]?.text === 'cert';
  if (value === '1' && !isCert) {
    return {
      line: line.replace(CLIENT_CERT, 'clientcert=verify-ca'),
      reason: 'clientcert=1 is clientcert=verify-ca since PostgreSQL 12',
    };
  }
  const without = line.replace(new RegExp(`[ \t,]*${CLIENT_CERT.source}`), '');
  return {
    line: without,
    reason:
      value === '1'
        ? 'cert asks for the certificate without clientcert=1'
        : `clientcert=${value} is the same as no clientcert`,
  };
}
