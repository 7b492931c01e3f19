// What the registry of codes says of each: the form of an entry of codes.ts.

/** pino's levels as far as the registry uses them. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What belongs to one code. */
export interface CodeEntry {
  /** SQLSTATE the client is sent; null where PostgreSQL closes without a word. */
  readonly sqlstate: string | null;
  /** Level of the connection's closing line. */
  readonly level: LogLevel;
  /** One sentence for the operator, the first line under the code's heading in docs/errors.md. */
  readonly means: string;
  /** The client's text where it is always the same; null where it names something, or the client is told nothing. */
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
