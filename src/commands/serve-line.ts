// The usual command line of a gate, `serve` with --config and --set, read without the library for all others: that, and
// the commands that it is given, take 3 MB for as long as the gate runs.

import { settingOf, type SetOption } from '../config/overrides.ts';

/** What `serve` is given. */
export interface ServeLine {
  readonly config?: string;
  readonly set: readonly SetOption[];
}

/**
 * Null = the line says something else, or is not plain: a word missing, an option twice. The library then says what
 * stands there, or what is wrong with it.
 */
export function readServeLine(words: readonly string[]): ServeLine | null {
  const set: SetOption[] = [];
  let config: string | null = null;
  const left = words[0] === 'serve' ? words.slice(1) : [...words];
  while (left.length > 0) {
    const [, name, attached] = /^--(config|set)(?:=(.+))?$/s.exec(left.shift() ?? '') ?? [];
    const value = attached ?? left.shift() ?? '';
    if (name === undefined || value === '' || (attached === undefined && value.startsWith('-'))) return null;
    const setting = name === 'set' ? settingOf(value) : null;
    if (setting !== null) set.push(setting);
    else if (name === 'config' && config === null) config = value;
    else return null;
  }
  return { ...(config === null ? {} : { config }), set };
}
