// COPY … TO STDOUT: CopyOutResponse (`H`), CopyData (`d`) for each row, CopyDone (`c`), in PostgreSQL's text or CSV form.

import { encodeMessage, int16 } from '../protocol/message.ts';
import type { Outcome } from './executor.ts';
import { encodeValue, type PgType } from './pg-types.ts';
import type { CopyFormat } from './copy-statement.ts';

/** The messages before CommandComplete. */
export function* copyRows({ columns, rows }: Outcome, format: CopyFormat): Generator<Buffer> {
  const described = columns ?? [];
  const formats = Buffer.concat([
    Buffer.from([0]),
    int16(described.length),
    ...described.map(() => int16(0)),
  ]);
  yield encodeMessage('H', formats);
  if (format.header)
    yield line(
      described.map(({ name }) => field(name, format)),
      format,
    );
  for (const row of rows) {
    yield line(
      described.map(({ type }, index) => valueField(row[index] ?? null, type, format)),
      format,
    );
  }
  yield encodeMessage('c');
}

function line(fields: readonly string[], { delimiter }: CopyFormat): Buffer {
  return encodeMessage('d', Buffer.from(`${fields.join(delimiter)}\n`));
}

function valueField(value: string | number | bigint | null, type: PgType, format: CopyFormat): string {
  const text = encodeValue(value, type, 'text');
  if (text === null) return format.nothing;
  return field(text.toString(), format);
}

function field(text: string, { csv, delimiter, nothing }: CopyFormat): string {
  if (!csv) {
    return text
      .replace(/[\\\b\f\n\r\t\v]/g, (character) => ESCAPES[character] ?? character)
      .replaceAll(delimiter, (each) => (each === '\t' ? '\\t' : `\\${each}`));
  }
  const needsQuotes = text === nothing || text === '\\.' || /["\r\n]/.test(text) || text.includes(delimiter);
  return needsQuotes ? `"${text.replaceAll('"', '""')}"` : text;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};
