// Where a line with an address has its method.

import { parseNumericAddress } from '../rules/address.ts';
import type { Token } from '../rules/types.ts';

/** The column of the method, counted from 0: a numeric address without a length has its mask in a column of its own. */
export function methodColumn(fields: readonly (readonly Token[])[]): number {
  const address = fields[3]?.[0]?.text ?? '';
  return parseNumericAddress(address) === null ? 4 : 5;
}
