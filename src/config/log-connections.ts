// log_connections: a boolean as before, or PostgreSQL 18's list of what is logged of a connection that comes about.

import { described, failed, readTexts, type Entry, type Setting } from './kinds.ts';
import { booleanSchema, commaListSchema } from './json-schema.ts';
import { parseBoolean } from './units.ts';

/** What may be logged, as PostgreSQL names it. */
export const logAspects = ['receipt', 'authentication', 'authorization', 'setup_durations'] as const;

export type LogAspect = (typeof logAspects)[number];

/** What `on` means: the lines that there were before the list. */
const LOGGED_BY_ON: readonly LogAspect[] = ['receipt', 'authentication', 'authorization'];

const ON_WORDS = ['on', 'true', 'yes', '1'];
const OFF_WORDS = ['off', 'false', 'no', '0'];
const WORDS = [...logAspects, 'all'];

/** Whether a value of `log_connections` asks for this. */
export function logsConnections(value: string, aspect: LogAspect): boolean {
  if (value === 'on') return LOGGED_BY_ON.includes(aspect);
  return value === 'all' || value.split(', ').includes(aspect);
}

/** The value is `on`, `off`, or the words in lower case, parted by `, `. */
export function logConnections(entry: Entry): Setting<string> {
  return {
    ...described(
      'boolean, or list of `receipt`, `authentication`, `authorization`, `setup_durations`, `all`',
      entry,
      {
        anyOf: [booleanSchema, commaListSchema(WORDS)],
      },
    ),
    initial: entry.default,
    read: (value, name, fail) => {
      const texts = readTexts(value, name, fail);
      if (texts === undefined) return undefined;
      const [only] = texts;
      const boolean = texts.length === 1 && only !== undefined ? parseBoolean(only) : null;
      if (boolean !== null) return boolean ? 'on' : 'off';
      const refuse = (detail: string): undefined =>
        failed(fail, `invalid value for parameter "${name}": "${texts.join(', ')}"`, hintFor(detail));
      // A YAML list is a list already; in one text commas part the words.
      return readWords(value.kind === 'list' ? texts : splitList(only ?? ''), name, refuse);
    },
  };
}

/** As PostgreSQL's SplitIdentifierString; null for a broken list. */
function splitList(text: string): readonly string[] | null {
  if (text.trim() === '') return [];
  const items = text.split(',').map((item) => item.trim().replace(/^"([^"]*)"$/, '$1'));
  return items.every((item) => /^[^\s"]+$/.test(item)) ? items : null;
}

/** PostgreSQL's checks in its order, with its words. */
function readWords(
  items: readonly string[] | null,
  name: string,
  refuse: (detail: string) => undefined,
): string | undefined {
  if (items === null) return refuse(`Invalid list syntax in parameter "${name}".`);
  const words = items.map((item) => item.toLowerCase());
  const [first = ''] = words;
  if ([...ON_WORDS, ...OFF_WORDS].includes(first))
    return refuse(`Cannot specify log_connections option "${items[0]}" in a list with other options.`);
  const unknown = items.find((item) => !WORDS.includes(item.toLowerCase()));
  if (unknown !== undefined) return refuse(`Invalid option "${unknown}".`);
  return words.includes('all') ? 'all' : words.join(', ');
}

function hintFor(detail: string): string {
  return `${detail} Available: on or off alone, or ${WORDS.join(', ')}.`;
}
