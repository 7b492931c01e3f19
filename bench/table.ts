// The table, in Markdown: it is read on a terminal and in docs/performance.md.

import { PEER_NAMES } from './peers/peer.ts';
import type { Summary } from './statistics.ts';
import type { Judgement, Row } from './verdict.ts';

/** Significant digits of a median. */
const DIGITS = 3;

/**
 * The rows as a table with padded columns.
 *
 * @param conclusive false leaves out whether goals are met, as behoves figures from a machine that was busy
 */
export function renderTable(rows: readonly Row[], { conclusive }: { conclusive: boolean }): string {
  const peers = PEER_NAMES.filter(
    (name) => name !== 'variant' || rows.some(({ variant }) => variant !== null),
  );
  const header = ['measure', 'unit', ...peers, 'ratio', 'goal'];
  const body = rows.map((row) => {
    const { figure, summaries, ratio, judgements } = row;
    return [
      figure.title,
      figure.unit,
      ...peers.map((name) => (name === 'variant' ? variantCell(row) : cell(summaries[name]))),
      ratio === null ? '' : `${ratio.median.toFixed(2)}${spread(ratio)} (${ratio.to})`,
      judgements.map((judgement) => goal(judgement, conclusive)).join('; '),
    ];
  });
  const lines = [header, ...body];
  const widths = header.map((_, column) => Math.max(3, ...lines.map((line) => line[column]?.length ?? 0)));
  const rule = widths.map((width) => '-'.repeat(width));
  return [header, rule, ...body]
    .map((line) => `| ${line.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |\n`)
    .join('');
}

function cell(summary: Summary | undefined): string {
  return summary === undefined ? '' : `${formatNumber(summary.median)}${spread(summary)}`;
}

function variantCell({ summaries, variant }: Row): string {
  return variant === null
    ? ''
    : `${cell(summaries.variant)}, ratio ${variant.median.toFixed(2)}${spread(variant)}`;
}

function spread({ spread: share }: Summary): string {
  return share === null ? '' : ` ±${Math.round(share * 100)}%`;
}

function goal({ text, value, met, goal: { limit } }: Judgement, conclusive: boolean): string {
  if (value === null || met === null) return text;
  const shown = limit < 10 ? value.toFixed(2) : formatNumber(value);
  return `${text}: ${shown}${conclusive ? ` ${met ? 'met' : 'missed'}` : ''}`;
}

/** Three significant digits, never an exponent. */
function formatNumber(value: number): string {
  const magnitude = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.max(0, DIGITS - 1 - magnitude));
}
