// Rows as a table of texts: in full, or as much of it as a terminal is wide.

export interface Column {
  readonly title: string;
  readonly read: (row: object) => string;
  /** The lower, the sooner it is shown where there is not room for all; 0 is always there. */
  readonly rank?: number;
  /** The column in full, where there is room for everything. */
  readonly wide?: Column;
}

const GAP = '  ';

/** No cell of a column that is always shown is cut to less. */
const LEAST = 6;

/** Every column in full, the titles first. */
export function table(rows: readonly object[], columns: readonly Column[]): string[] {
  const lines = cellsOf(rows, columns);
  const widths = widthsOf(lines);
  return lines.map((line) =>
    line
      .map((cell, index) => padded(cell, widths[index] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
}

/**
 * The columns that fit, the ones with the lowest rank first. Where not even those of rank 0 do, their longest cells are cut.
 *
 * @param width of the terminal; null = any
 */
export function fittedTable(
  rows: readonly object[],
  columns: readonly Column[],
  width: number | null,
): string[] {
  const full = table(
    rows,
    columns.map((column) => column.wide ?? column),
  );
  if (width === null || full.every((line) => widthOf(line) <= width)) return full;
  const ranks = [...new Set(columns.map(({ rank = 0 }) => rank))].toSorted((a, b) => a - b);
  let chosen = columns.filter(({ rank = 0 }) => rank === 0);
  for (const next of ranks.slice(1)) {
    const more = columns.filter((column) => chosen.includes(column) || column.rank === next);
    if (table(rows, more).some((line) => widthOf(line) > width)) break;
    chosen = more;
  }
  return cut(cellsOf(rows, chosen), width);
}

function cellsOf(rows: readonly object[], columns: readonly Column[]): string[][] {
  return [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ read }) => read(row)))];
}

function widthsOf(lines: readonly (readonly string[])[]): number[] {
  const [titles = []] = lines;
  return titles.map((_, index) =>
    lines.reduce((most, line) => Math.max(most, widthOf(line[index] ?? '')), 0),
  );
}

/** Takes from the widest column, again and again, until all fit. */
function cut(lines: readonly (readonly string[])[], width: number): string[] {
  const widths = widthsOf(lines);
  const total = (): number => widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1));
  while (total() > width) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 0) <= LEAST) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return lines.map((line) =>
    line
      .map((cell, index) => padded(shortened(cell, widths[index] ?? 0), widths[index] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
}

function shortened(cell: string, width: number): string {
  if (widthOf(cell) <= width) return cell;
  let kept = '';
  for (const { segment } of new Intl.Segmenter().segment(cell)) {
    if (widthOf(kept + segment) >= width) break;
    kept += segment;
  }
  return `${kept}…`;
}

function padded(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(0, width - widthOf(cell)));
}

/** Characters that a terminal shows twice as wide, and marks that take no room of their own. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uFF01-\uFF60]/u;
const MARK = /\p{M}/u;

function widthOf(text: string): number {
  if (/^[\x20-\x7E]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += MARK.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}
