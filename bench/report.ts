// What a run says of itself: on the terminal, as JSON, and in docs/performance.md.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { percent, type Load, type Machine } from './machine.ts';
import type { PeerName } from './peers/peer.ts';
import { TERMS } from './stage.ts';
import { renderTable } from './table.ts';
import type { Row } from './verdict.ts';

/** A whole run. */
export interface Report {
  readonly at: Date;
  readonly quick: boolean;
  readonly rounds: number;
  readonly machine: Machine;
  readonly load: Load;
  /** Of the peers that took part, and of PostgreSQL behind them and its clients. */
  readonly versions: Readonly<Record<string, string>>;
  /** Peers and measures that took no part, each with the reason. */
  readonly leftOut: readonly { readonly what: string; readonly why: string }[];
  readonly rows: readonly Row[];
  readonly samples: Readonly<Record<string, Readonly<Partial<Record<PeerName, readonly number[]>>>>>;
}

const RESULTS = fileURLToPath(new URL('results/', import.meta.url));
const PAGE = fileURLToPath(new URL('../docs/performance.md', import.meta.url));
const BEGIN = '<!-- bench: begin -->';
const END = '<!-- bench: end -->';

/** Whether conclusions may be drawn: a whole run on a machine that did nothing else. */
export function isConclusive({ quick, load }: Pick<Report, 'quick' | 'load'>): boolean {
  return !quick && load.disturbances.length === 0;
}

/** The run in Markdown: table, machine, versions, what was left out, and what speaks against the figures. */
export function renderReport(report: Report): string {
  const { machine, load, versions, leftOut, rounds } = report;
  const facts = [
    `${report.at.toISOString().slice(0, 10)}, ${rounds} ${rounds === 1 ? 'round' : 'rounds'}; median ± half the distance between the quartiles; ${TERMS.protocol}, ${TERMS.suite}, ${TERMS.group}, EC P-256 certificates`,
    `${machine.cpu}, ${machine.cores} cores${machine.virtual ? ' (virtual)' : ''}, ${machine.memoryGiB} GiB; ${machine.system}, Linux ${machine.kernel}`,
    `load average ${load.before.toFixed(2)} before and ${load.after.toFixed(2)} after; other programs used ${percent(load.othersShare)} of the CPU, the hypervisor withheld ${percent(load.stolenShare)}`,
    ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
    ...leftOut.map(({ what, why }) => `left out: ${what}: ${why}`),
  ];
  const table = renderTable(report.rows, { conclusive: isConclusive(report) });
  return `${table}\n${facts.map((fact) => `- ${fact}\n`).join('')}${caution(report)}`;
}

/** Writes the run to a file, by default one of its own in bench/results/. @returns the file's path */
export function writeJson(report: Report, path: string | null): string {
  if (path === null) mkdirSync(RESULTS, { recursive: true });
  const file = path ?? `${RESULTS}${report.at.toISOString().replaceAll(/[:.]/g, '-')}.json`;
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  return file;
}

/** Puts the run into docs/performance.md, between its two marks. @throws Error where they are missing */
export async function writeDocs(report: Report): Promise<void> {
  const page = readFileSync(PAGE, 'utf8');
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`${PAGE} has no ${BEGIN} … ${END}`);
  const text = `${page.slice(0, begin)}${BEGIN}\n\n${renderReport(report)}\n${page.slice(end)}`;
  writeFileSync(PAGE, await format(text, { parser: 'markdown', singleQuote: true, printWidth: 110 }));
}

function caution({ quick, load }: Report): string {
  const reasons = [...(quick ? ['the run was a quick one'] : []), ...load.disturbances];
  return reasons.length === 0 ? '' : `\nDraw no conclusions from these figures: ${reasons.join('; ')}.\n`;
}
