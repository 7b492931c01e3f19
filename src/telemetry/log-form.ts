// How a line is written where stdout goes (contract §17): JSON for programs, text for a person at a terminal, and under
// journald the priority before the line, so that `journalctl -p warning` finds it.

import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import { textLine } from './log-text.ts';

/** What `log_format` may say. */
export const logFormats = ['auto', 'json', 'text'] as const;

export type LogFormat = (typeof logFormats)[number];

/** What is done to a line of JSON before it is written. */
export type LogForm = (line: string) => string;

/** syslog's numbers; PostgreSQL's LOG is its 6 too. */
const PRIORITIES: Readonly<Record<string, number>> = {
  trace: 7,
  debug: 7,
  info: 6,
  warn: 4,
  error: 3,
  fatal: 2,
};

/** Where lines go. */
export interface LogPlace {
  readonly isTerminal: boolean;
  readonly isJournal: boolean;
  readonly colour: boolean;
}

/** What a descriptor is, and what the environment says of it. */
export function logPlace(fd: number, env: NodeJS.ProcessEnv = process.env): LogPlace {
  const isTerminal = isatty(fd);
  const wantsNone = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  return { isTerminal, isJournal: isJournal(fd, env), colour: isTerminal && !wantsNone };
}

/** systemd names the socket that it has connected stdout with. A service's child may have another stdout by now. */
function isJournal(fd: number, { JOURNAL_STREAM: stream }: NodeJS.ProcessEnv): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** The form for a format at a place. `json` is JSON everywhere, with nothing before it. */
export function logForm(format: LogFormat, { isTerminal, isJournal: journal, colour }: LogPlace): LogForm {
  const isText = format === 'text' || (format === 'auto' && isTerminal);
  const form: LogForm = isText ? (line) => textLine(line, { colour }) : escapeControls;
  if (!journal || format === 'json') return form;
  return (line) => withPriority(form(line), line);
}

/** journald takes each line of a text for a message of its own, so each has the priority. */
function withPriority(text: string, json: string): string {
  const [, level = 'info'] = /^\{"level":"(\w+)"/.exec(json) ?? [];
  const prefix = `<${PRIORITIES[level] ?? 6}>`;
  return text.replace(/^(?=.)/gm, prefix);
}

/**
 * What JSON lets stand as it is and a terminal or an editor obeys: DEL and C1 controls (U+009B begins an escape
 * sequence), line separators, and the format characters, which hide text or turn its direction round.
 */
const CONTROLS = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** SECURITY: names come from strangers. Escaped, they cannot steer the terminal of anyone who reads the log. */
export function escapeControls(line: string): string {
  return line.replace(CONTROLS, escaped);
}

/** One beyond U+FFFF is two of JSON's. */
function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
}
