// How to mend what makes a gatehouse.yaml no YAML: most often a line of postgresql.conf (contract §17).

import { lookalikeHint } from '../rules/hints.ts';
import type { Position } from './yaml.ts';

const CONF_LINE = /^[ \t]*([a-z_]+(?:\.[a-z_]+)?)[ \t]*=[ \t]*\S/m;

/**
 * Whether the file is a postgresql.conf as a whole: it sets values, and none in YAML's way. The YAML reader stumbles
 * over its lines one after another, and only the first mistake is worth telling.
 */
export function isPostgresqlConf(text: string): boolean {
  return CONF_LINE.test(text) && !/^[a-z_]+:(?:[ \t]|\r?$)/m.test(text);
}

/**
 * What the author may have meant.
 *
 * @param text the whole file
 * @param at where the YAML reader gave up
 * @returns undefined where the mistake is not a known one
 */
export function yamlHint(text: string, at: Position): string | undefined {
  const line = text.split('\n')[at.line - 1] ?? '';
  const lookalike = lookalikeHint(line) === undefined ? undefined : lookalikeHint(bareText(line));
  if (lookalike !== undefined) return lookalike;
  if (/:[ \t]*\*[ \t]*(?:#.*)?\r?$/.test(line)) return "Write the asterisk in quotes: '*'.";
  if (/^[ ]*\t/.test(line)) return 'Indent with spaces.';
  const conf = CONF_LINE.exec(line) ?? CONF_LINE.exec(text);
  if (conf === null) return undefined;
  return `A line of postgresql.conf? Here it is "${conf[1]}: VALUE"; pg-gatehouse migrate --conf turns a whole file.`;
}

/** A line without its comment and without what is in quotes: there a look-alike is no mistake. */
function bareText(line: string): string {
  return line.replace(/"(?:[^"\\]|\\.)*(?:"|\\?$)|'[^']*(?:'|$)|(?<=^|[ \t])#.*/g, '');
}
