// A line of the log for a person at a terminal: time, level and message in columns, then the fields; DETAIL, HINT and a
// defect's stack on lines of their own below the message.

import { escapeInvisible } from '../base/escape-invisible.ts';

/** Width of time and level with the blanks after them: what stands below the message begins there. */
const INDENT = ' '.repeat(32);

const STYLES = { dim: 2, bold: 1, red: 31, yellow: 33, cyan: 36 } as const;

type Style = keyof typeof STYLES;

const LEVEL_STYLES: Readonly<Record<string, Style>> = {
  trace: 'dim',
  debug: 'dim',
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
};

/** What has its own place in the text. */
const PLACED = new Set(['level', 'time', 'pid', 'msg', 'detail', 'hint', 'err']);

/**
 * A line of JSON as text.
 *
 * SECURITY: names come from strangers. Each is escaped, so that none can begin a line of its own, which would read as
 * the gate's, or drive the terminal.
 *
 * @param json one JSON object and its line end
 */
export function textLine(json: string, { colour }: { readonly colour: boolean }): string {
  const paint = (style: Style | undefined, text: string): string =>
    colour && style !== undefined && text !== '' ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
  const line: Record<string, unknown> = JSON.parse(json);
  const level = textOf(line['level']);
  const time = textOf(line['time']).replace('T', ' ').replace('Z', '');
  const fields = Object.entries(line).flatMap(([name, value]) =>
    PLACED.has(name) ? [] : fieldsOf(name, value),
  );
  const head = [
    paint('dim', time),
    paint(LEVEL_STYLES[level], level.toUpperCase().padEnd(5)),
    escapeInvisible(textOf(line['msg'])),
    paint('dim', fields.join(' ')),
  ];
  const below = [
    ...labelled('DETAIL', line['detail']),
    ...labelled('HINT', line['hint']),
    ...labelled('CAUSE', stackOf(line['err'])),
  ].map((text) => `${INDENT}${paint('cyan', text)}`);
  return `${[head.filter((part) => part !== '').join('  '), ...below].join('\n')}\n`;
}

/** `name=value`; a list with commas, the members of an object each: `certificate.subject="CN=bob"`. */
function fieldsOf(name: string, value: unknown): readonly string[] {
  const isList = Array.isArray(value) && value.every((item) => typeof item !== 'object');
  if (isList) return fieldsOf(name, value.map(textOf).join(','));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([member, inner]) => fieldsOf(`${name}.${member}`, inner));
  const text = escapeInvisible(textOf(value));
  return [`${escapeInvisible(name)}=${/[\s"=]|^$/.test(text) ? JSON.stringify(text) : text}`];
}

/** The lines of a text under their label; those after the first stand under the first. */
function labelled(label: string, text: unknown): readonly string[] {
  if (typeof text !== 'string' || text === '') return [];
  const [first = '', ...rest] = text.split('\n').map(escapeInvisible);
  const gap = ' '.repeat(label.length + 3);
  return [`${label}:  ${first}`, ...rest.map((each) => `${gap}${each}`)];
}

function stackOf(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return undefined;
  return 'stack' in error ? error.stack : 'message' in error ? error.message : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}
