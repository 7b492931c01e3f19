// postgresql.conf: what of it is the gate's too (contract §8). Read as PostgreSQL reads it: the last value wins.

/** One setting as written. */
export interface ConfSetting {
  readonly value: string;
  readonly line: number;
}

const LINE = /^[ \t]*([A-Za-z_][A-Za-z0-9_.$]*)(?:[ \t]*=[ \t]*|[ \t]+)(?:'((?:[^'\\]|''|\\.)*)'|([^\s#']+))/;

/** The settings by name, in lower case. Lines that are no setting are passed over: the server has judged them. */
export function readConf(text: string): ReadonlyMap<string, ConfSetting> {
  const settings = new Map<string, ConfSetting>();
  for (const [index, line] of text.split('\n').entries()) {
    const [, name, inQuotes, plain] = LINE.exec(line) ?? [];
    if (name === undefined) continue;
    const value = inQuotes === undefined ? (plain ?? '') : unquoted(inQuotes);
    settings.set(name.toLowerCase(), { value, line: index + 1 });
  }
  return settings;
}

function unquoted(text: string): string {
  return text.replaceAll("''", "'").replaceAll(/\\(.)/g, '$1');
}
