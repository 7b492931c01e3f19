// docs/errors.md as a page of the gate's own, so that a code on the status page leads to what to do, without a way to the
// internet. Where the file is not at hand the registry has the rest.

import { codes } from '../../base/codes.ts';
import type { CodeEntry } from '../../base/code-entry.ts';
import { readOwnText } from '../../base/own-process.ts';
import { html, type Html, type HtmlValue } from './html.ts';
import { document } from './page.ts';
import { fact } from './words.ts';

/** The page: a heading for each code, which is also its anchor. */
export function renderErrors(): string {
  const advice = readAdvice();
  const entries: [string, CodeEntry][] = Object.entries(codes);
  return document(
    'Errors',
    html`<header id="head">
        <h1>Errors</h1>
        <p class="seen"><a href="/">Status of the gate</a></p>
      </header>
      <main class="errors">${entries.map(([code, entry]) => section(code, entry, advice.get(code)))}</main>`,
  );
}

function section(
  code: string,
  { means, sqlstate, level, reply }: CodeEntry,
  advice: Advice | undefined,
): Html {
  return html`<section aria-labelledby="${code}">
    <h2 id="${code}"><code>${code}</code></h2>
    <p>${means}</p>
    <dl class="facts">
      ${fact('SQLSTATE', sqlstate ?? 'none')} ${fact('Log level', level)}
      ${fact('The client sees', advice?.sees ?? (reply === null ? null : html`<code>${reply}</code>`))}
      ${fact('Look at', advice?.look)}
    </dl>
  </section>`;
}

interface Advice {
  readonly sees: HtmlValue;
  readonly look: HtmlValue;
}

/** What docs/errors.md says of each code beyond the registry. */
function readAdvice(): ReadonlyMap<string, Advice> {
  let page: string;
  try {
    page = readOwnText('docs/errors.md');
  } catch {
    return new Map();
  }
  return new Map(
    page
      .split(/^### /m)
      .slice(1)
      .map((text) => [
        /^`([^`]+)`/.exec(text)?.[1] ?? '',
        { sees: inline(bullet(text, 'The client sees')), look: inline(bullet(text, 'Look at')) },
      ]),
  );
}

function bullet(text: string, name: string): string {
  return new RegExp(`^- ${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
}

/** Code spans as such; a link by its words, since its target is another file. */
function inline(markdown: string): HtmlValue {
  const words = markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
  return words.split('`').map((part, index) => (index % 2 === 0 ? part : html`<code>${part}</code>`));
}
