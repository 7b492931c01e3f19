// The one failure of reading what the upstream sends: something that no PostgreSQL sends during a login.

import { GatehouseError } from '../base/errors.ts';

/** @param what names the fault for the log, such as `a short BackendKeyData`; the client is told only that there is one */
export function violation(what: string, cause?: unknown): GatehouseError {
  return new GatehouseError('upstream-protocol-violation', {
    message: `the upstream server violated the protocol: ${what}`,
    cause,
  });
}
