// HTML by tagged template: every value is escaped unless it was made here, so that a forgotten escape cannot be written.

import { escapeInvisible } from '../../base/escape-invisible.ts';

/** Markup that is safe to send: made by `html` and nothing else. */
export class Html {
  readonly #markup: string;
  private constructor(markup: string) {
    this.#markup = markup;
  }

  static of(parts: readonly string[], values: readonly HtmlValue[]): Html {
    return new Html(
      parts.map((part, index) => (index === 0 ? part : render(values[index - 1]) + part)).join(''),
    );
  }

  toString(): string {
    return this.#markup;
  }
}

/** What may stand in a template: markup, text, numbers, several of them, or nothing. */
export type HtmlValue = Html | string | number | null | undefined | readonly HtmlValue[];

/** Text and attribute values (always written in double quotes) go in escaped; null and undefined are empty. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return Html.of(parts, values);
}

function render(value: HtmlValue): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return escape(value);
  if (typeof value === 'number' || value instanceof Html) return value.toString();
  return value.map(render).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

// SECURITY: user, database, application name and certificate names are the client's words.
function escape(text: string): string {
  return escapeInvisible(text).replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
