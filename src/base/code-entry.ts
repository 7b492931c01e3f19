// The form of an entry in the registry of codes (codes.ts).

/** The levels of pino that the registry uses. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What belongs to one code. */
export interface CodeEntry {
  /** The SQLSTATE that the client gets. Null where PostgreSQL closes the connection without an error. */
  readonly sqlstate: string | null;
  /** Level of the connection's closing line. */
  readonly level: LogLevel;
  /** One sentence for the operator, the first line under the code's heading in docs/errors.md. */
  readonly means: string;
  /** The client's text where it is always the same. Null where it names something, or where the client gets no error. */
  readonly reply: string | null;
}

/** A code whose client is always told the same. */
export type CodeWithReply = CodeEntry & { readonly sqlstate: string; readonly reply: string };

/** One entry of the registry. A text for the client needs a SQLSTATE. */
export function entry(sqlstate: string | null, level: LogLevel, means: string): CodeEntry;
export function entry(sqlstate: string, level: LogLevel, means: string, reply: string): CodeWithReply;
export function entry(
  sqlstate: string | null,
  level: LogLevel,
  means: string,
  reply: string | null = null,
): CodeEntry {
  return { sqlstate, level, means, reply };
}
