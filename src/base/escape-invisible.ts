// Text that a client chose, made safe for a person's eyes: on the status page and in a terminal.

/**
 * Control characters, line separators and invisible format characters as `\u{…}`.
 *
 * SECURITY: an escape sequence in a user name would drive the operator's terminal, and a right-to-left override makes
 * `ecila` read as `alice` in the very list that says whom to end.
 */
export function escapeInvisible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** The same of a text that quotes a line of a file: a tab is how such a line is written, and harmless. */
export function escapeButTabs(text: string): string {
  return text.split('\t').map(escapeInvisible).join('\t');
}
