// The log (contract §4): one JSON object a line on stdout, or text for a person at a terminal, written before the call
// returns wherever stdout takes it.
// The only user of pino. Nothing is redacted here because nothing secret is ever handed over: callers name the fields
// they log.

import { fstatSync, writeSync } from 'node:fs';
import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import { escapeControls, logForm, logPlace, type LogForm, type LogFormat } from './log-form.ts';
import { shortened } from './log-line.ts';
import { LogSink, withoutWaiting } from './log-sink.ts';

export type { Logger } from 'pino';

/** What `log_level` may say. */
export type LogThreshold = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/**
 * The program's logger: `level` as a word, `time` in ISO 8601 UTC, `pid`, the caller's fields, `msg`.
 *
 * A line is written before the call returns, so that none is lost when the process ends. Where stdout does not
 * take it, it waits in memory up to a limit, and is dropped and counted beyond it (contract §7.36): the log holds
 * nothing up and ends nothing.
 *
 * Assigning `logger.level` takes effect at once. A child logger keeps the level it was made with, so a child is
 * for what is short-lived: one connection.
 *
 * @param destination where lines go, as JSON; stdout by default, in the form that `setLogFormat` has chosen
 */
export function createLogger(level: LogThreshold, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => describeError(error) },
      hooks: {
        streamWrite: (line) => shortened(line, destination === undefined ? stdoutForm : escapeControls),
      },
    },
    destination ?? stdout(),
  );
}

let stdoutForm: LogForm = escapeControls;

/** How lines are written to stdout from here on (`log_format`), by this process. */
export function setLogFormat(format: LogFormat): void {
  stdoutForm = logForm(format, logPlace(STDOUT));
}

let sink: LogSink | null = null;

/** How many lines of this process could not be written since it started. */
export function droppedLogLines(): number {
  return sink?.dropped ?? 0;
}

/** Node's own warnings go to the log. Node would write them to stderr, and such a write may wait for a reader. */
export function logNodeWarnings(log: Logger): void {
  process.removeAllListeners('warning');
  process.on('warning', (warning) => log.warn({ err: warning }, `Node.js: ${warning.message}`));
}

const STDOUT = 1;
const STDERR = 2;

function stdout(): DestinationStream {
  if (sink === null) {
    const made = new LogSink(STDOUT, { droppedLine, onTrouble: tellOnStderr });
    process.on('exit', () => made.flushAtEnd());
    sink = made;
  }
  return sink;
}

function droppedLine(count: number, reason: string): string {
  const msg = `${count} log ${count === 1 ? 'line was' : 'lines were'} dropped: ${reason}`;
  const fields = { level: 'warn', time: new Date().toISOString(), pid: process.pid, dropped: count, msg };
  return stdoutForm(`${JSON.stringify(fields)}\n`);
}

/** The only sign where nobody scrapes metrics. Left out where stderr and the log go to the same place. */
function tellOnStderr(reason: string): void {
  try {
    const [log, other] = [fstatSync(STDOUT), fstatSync(STDERR)];
    if (log.dev === other.dev && log.ino === other.ino) return;
    stderr ??= withoutWaiting(STDERR);
    writeSync(stderr, `pg-gatehouse: the log cannot be written, its lines are dropped: ${reason}\n`);
  } catch {
    // No other place is left to report it.
  }
}

let stderr: number | null = null;

/** At most this many causes are shown: an error may be its own cause. */
const MAX_CAUSES = 4;

/** SECURITY: other properties of an error are not logged. A library may have put a secret there. */
function describeError(error: unknown, causes = MAX_CAUSES): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const hasCause = error.cause instanceof Error && causes > 0;
  const cause = hasCause ? describeError(error.cause, causes - 1) : undefined;
  return { type: error.name, message: error.message, code, stack: error.stack, cause };
}
