// RowDescription (`T`), ParameterDescription (`t`), NoData (`n`), DataRow (`D`) and CommandComplete (`C`).

import { fromText, toBytes, type ByteString } from '../../base/bytestring.ts';
import { encodeMessage, int16, int32, uint16 } from '../message.ts';
import type { Format } from './bind.ts';

/** A column of a result as the client sees it. */
export interface ColumnDescription {
  readonly name: string;
  /** OID in pg_type. */
  readonly type: number;
  /** Bytes of a value; -1 = they vary. */
  readonly size: number;
  readonly format: Format;
}

/** Every column has table OID 0, as an expression has in PostgreSQL. */
export function encodeRowDescription(columns: readonly ColumnDescription[]): Buffer {
  const fields = columns.map(({ name, type, size, format }) =>
    Buffer.concat([
      toBytes(`${fromText(name)}\0`),
      int32(0),
      int16(0),
      int32(type),
      int16(size),
      int32(-1),
      int16(format === 'binary' ? 1 : 0),
    ]),
  );
  return encodeMessage('T', Buffer.concat([int16(columns.length), ...fields]));
}

export function encodeParameterDescription(types: readonly number[]): Buffer {
  return encodeMessage('t', Buffer.concat([uint16(types.length), ...types.map(int32)]));
}

export const NO_DATA = encodeMessage('n');

/** @param values encoded already; null = SQL's NULL */
export function encodeDataRow(values: readonly (Buffer | null)[]): Buffer {
  const fields = values.flatMap((value) => (value === null ? [int32(-1)] : [int32(value.length), value]));
  return encodeMessage('D', Buffer.concat([int16(values.length), ...fields]));
}

/** @param tag `SELECT 3`, `BEGIN`, … */
export function encodeCommandComplete(tag: ByteString): Buffer {
  return encodeMessage('C', `${tag}\0`);
}
