// HTML by tagged template: every value is escaped unless it was made here, so that a forgotten escape cannot be written.

/** Markup that is safe to send: made by `html` and nothing else. */
export class Html {
  readonly #markup: string;
  private constructor(markup: string) {
    this.#markup = markup;
  }

  static of(parts: readonly string[], values: readonly HtmlValue[]): Html {
    let markup = parts[0] ?? '';
    for (const [index, value] of values.entries()) markup += render(value) + (parts[index + 1] ?? '');
    return new Html(markup);
  }

  /** Text whose invisible characters stand in boxes of their own. */
  static seen(text: string): Html {
    if (!SPECIAL.test(text)) return new Html(text);
    return new Html(
      escape(text).replace(INVISIBLE, (character) => `<b class="invisible">${codePoint(character)}</b>`),
    );
  }

  toString(): string {
    return this.#markup;
  }
}

/** What may stand in a template: markup, text, numbers, several of them, or nothing. */
export type HtmlValue = Html | string | number | null | undefined | readonly HtmlValue[];

/**
 * Text and attribute values (always written in double quotes) go in escaped; null and undefined are empty. Invisible
 * characters are written as `U+202E`; `visible` marks them as well.
 */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return Html.of(parts, values);
}

/** A text that a client chose, between two tags (not in an attribute). `<bdi>` keeps it from turning its neighbours round. */
export function visible(text: string): Html {
  return html`<bdi>${Html.seen(text)}</bdi>`;
}

function render(value: HtmlValue): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string')
    return SPECIAL.test(value) ? escape(value).replace(INVISIBLE, codePoint) : value;
  if (typeof value === 'number' || value instanceof Html) return value.toString();
  let markup = '';
  for (const each of value) markup += render(each);
  return markup;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** What a text must have to need any work at all: most have none. */
const SPECIAL = /[&<>"'\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Control characters, line separators, and characters of format that are not seen. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** SECURITY: a right-to-left override makes `ecila` read as `alice` in the very list that says whom to end. */
function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

// SECURITY: user, database, application name and certificate names are the client's words.
function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
