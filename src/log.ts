// The log (contract §4): one JSON object a line on stdout, written before the call returns. The only user of pino.
// Nothing is redacted here because nothing secret is ever handed over: callers name the fields they log.

import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';

export type { Logger } from 'pino';

/** What `log_level` may say. */
export type LogThreshold = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/**
 * The program's logger: `level` as a word, `time` in ISO 8601 UTC, `pid`, the caller's fields, `msg`.
 *
 * Lines are written synchronously, so that none is lost whatever ends the process; a reader of stdout that stops
 * reading holds the gate up rather than losing lines. A reader that is gone (EPIPE) ends the log, not the gate.
 *
 * Assigning `logger.level` takes effect at once. A child logger keeps the level it was made with, so a child is
 * for what is short-lived: one connection.
 *
 * @param destination where lines go; stdout by default
 */
export function createLogger(level: LogThreshold, destination: DestinationStream = stdout()): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => describeError(error) },
      hooks: { streamWrite: escapeControls },
    },
    destination,
  );
}

/**
 * What JSON lets stand as it is and a terminal or an editor obeys: DEL and C1 controls (U+009B begins an escape
 * sequence), line separators, and what hides text or turns its direction round.
 */
// eslint-disable-next-line no-control-regex, no-misleading-character-class -- those are what is looked for
const CONTROLS = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** SECURITY: names come from strangers, and whoever reads the log must see them, not be played with by them. */
function escapeControls(line: string): string {
  return line.replace(CONTROLS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function stdout(): DestinationStream {
  return pino.destination({ fd: 1, sync: true });
}

/** An error may have caused itself; so many causes are shown. */
const MAX_CAUSES = 4;

/** SECURITY: an error's own further properties stay out of the log: a library may have put anything there. */
function describeError(error: unknown, causes = MAX_CAUSES): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const hasCause = error.cause instanceof Error && causes > 0;
  const cause = hasCause ? describeError(error.cause, causes - 1) : undefined;
  return { type: error.name, message: error.message, code, stack: error.stack, cause };
}
