// The startup parameter `options`: command-line switches, as postgres.c splits and reads them. Only as far as to find
// settings with a certain prefix and to leave them out, however they are written.

import type { ByteString } from '../base/bytestring.ts';

/** Switches of any server since 9.2 that take an argument, and those that take none. Any other ends its connection. */
const WITH_ARGUMENT = 'ABcCDdfhkNoprStvW-';
const WITHOUT_ARGUMENT = 'beEFijlnOPsT';

/** isspace in the C locale. */
const SPACE = /[ \t\n\v\f\r]/;

/** Bytes that isspace takes for a space in some Latin-1 locales, and not in others. */
const SPACE_SOMEWHERE = /[\x85\xa0]/;

/** One word of `options`. */
interface Word {
  /** Without its escapes. */
  readonly text: ByteString;
  /** As it was written. */
  readonly written: ByteString;
}

/** A setting's name as a server compares it: any case, and in a switch `-` for `_`. */
export function comparable(name: ByteString): ByteString {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replaceAll('-', '_');
}

/** Whether a text has the prefix and its dot anywhere in it, however it is written. */
export function mentions(text: ByteString, prefix: string): boolean {
  return comparable(text.replaceAll('\\', '')).includes(`${comparable(prefix)}.`);
}

/** Whether a setting stands under the prefix. */
export function isUnder(name: ByteString, prefix: string): boolean {
  return comparable(name).startsWith(`${comparable(prefix)}.`);
}

/**
 * Leaves the settings under a prefix out of `options`. What does not mention the prefix comes back byte for byte.
 *
 * @param prefix an identifier, without its dot
 * @returns null where nobody can tell how the server would read it: servers before 9.5 know no escapes, and a switch that
 *   is unknown, or stands alone, is read differently from one version to the next
 */
export function withoutSettings(options: ByteString, prefix: string): ByteString | null {
  if (!mentions(options, prefix)) return options;
  if (SPACE_SOMEWHERE.test(options)) return null;
  const kept = keep(splitWithEscapes(options), prefix);
  if (kept === null) return null;
  const rest = kept.isWhole ? options : kept.written.join(' ');
  if (!mentions(rest, prefix)) return rest;
  // SECURITY: the prefix is still there, and seems to be part of a value. That counts only if both ways in which servers
  // split `options` find it in a value. Otherwise the client might set it on one of them.
  for (const split of [splitWithEscapes, splitAtSpaces]) {
    if (keep(split(rest), prefix)?.isWhole !== true) return null;
  }
  return rest;
}

interface Kept {
  readonly written: readonly ByteString[];
  /** Nothing was left out. */
  readonly isWhole: boolean;
}

/** Reads words as getopt does. Null where there is one that no server would take. */
function keep(words: readonly Word[], prefix: string): Kept | null {
  const written: ByteString[] = [];
  let isWhole = true;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const group = readSwitches(word.text);
    if (group === null) return null;
    const { flags, argument } = group;
    const next = argument === '' ? words[++at] : null;
    // The argument is missing.
    if (next === undefined) return null;
    const isSetting = group.last === 'c' || group.last === '-';
    if (isSetting && isUnder(next?.text ?? argument ?? '', prefix)) {
      isWhole = false;
      if (flags !== '') written.push(`-${flags}`);
    } else written.push(word.written, ...(next === null ? [] : [next.written]));
  }
  return { written, isWhole };
}

/** One word: letters run together, of which the last may take the rest of the word, or the next one, as its argument. */
function readSwitches(
  text: ByteString,
): { readonly flags: ByteString; readonly last: string; readonly argument: ByteString | null } | null {
  // `--` alone ends the switches, and a word that is not a switch ends the connection.
  if (!text.startsWith('-') || text.length === 1 || text === '--') return null;
  let at = 1;
  while (at < text.length && WITHOUT_ARGUMENT.includes(text[at]!)) at++;
  const flags = text.slice(1, at);
  if (at === text.length) return { flags, last: '', argument: null };
  if (!WITH_ARGUMENT.includes(text[at]!)) return null;
  return { flags, last: text[at]!, argument: text.slice(at + 1) };
}

/** pg_split_opts since 9.5: a backslash takes the next byte as it is. */
function splitWithEscapes(options: ByteString): Word[] {
  const words: Word[] = [];
  let at = 0;
  for (;;) {
    while (at < options.length && SPACE.test(options[at]!)) at++;
    if (at === options.length) return words;
    const from = at;
    let text = '';
    let isEscaped = false;
    for (; at < options.length && (isEscaped || !SPACE.test(options[at]!)); at++) {
      if (!isEscaped && options[at] === '\\') {
        isEscaped = true;
        continue;
      }
      isEscaped = false;
      text += options[at];
    }
    words.push({ text, written: options.slice(from, at) });
  }
}

/** Before 9.5: a backslash is a byte like any other. */
function splitAtSpaces(options: ByteString): Word[] {
  return options
    .split(SPACE)
    .filter((text) => text !== '')
    .map((text) => ({ text, written: text }));
}
