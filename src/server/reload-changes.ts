// What a reload has changed, for the log (contract §17): the parts in which anything is new, and in each the settings or
// the files. Names and numbers only: the contents may be secret.

import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ByteString } from '../base/bytestring.ts';
import { inSlices } from '../base/slices.ts';
import type { Sources } from '../base/sources.ts';
import type { Steps } from '../base/steps.ts';
import { isSettingName, schema, type Settings } from '../config/schema.ts';
import { valueOf } from '../config/setting-values.ts';
import type { Parts } from '../config/snapshot.ts';
import type { HbaRecord } from '../rules/types.ts';

/** Lines that are compared before sessions have their turn. */
const LINES_A_STEP = 500;

/** At most this many names of one part are written out. */
const MAX_NAMES = 8;

/** `reloaded: rules (pg_hba.conf: 3 lines, 1 new)`. */
export async function reloadedText(before: Parts, after: Parts): Promise<string> {
  const parts = [
    named('settings', settingsChanged(before.settings.value, after.settings.value)),
    named('tls', changedFiles(before.tls.sources, after.tls.sources)),
    named('rules', await rulesChanged(before.rules, after.rules)),
    named(
      'maps',
      changedFiles(before.maps.sources, after.maps.sources, (file) =>
        lineCount(after.maps.value.records.filter((record) => record.file === file).length),
      ),
    ),
  ].flat();
  return `reloaded: ${parts.length === 0 ? 'nothing has changed' : parts.join(', ')}`;
}

function named(part: string, changes: readonly string[]): readonly string[] {
  if (changes.length === 0) return [];
  const left = changes.length - MAX_NAMES;
  const shown = left > 0 ? [...changes.slice(0, MAX_NAMES), `${left} more`] : changes;
  return [`${part} (${shown.join(', ')})`];
}

function settingsChanged(before: Settings, after: Settings): readonly string[] {
  return Object.keys(schema)
    .filter(isSettingName)
    .filter((name) => !isDeepStrictEqual(valueOf(before, name), valueOf(after, name)));
}

/** Files and directories that are new, gone, or other than they were, by their names. */
function changedFiles(
  before: Sources,
  after: Sources,
  describe: (file: string) => string = () => '',
): readonly string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths]
    .filter((path) => before.get(path)?.digest !== after.get(path)?.digest)
    .map((path) => {
      const more = describe(path);
      return more === '' ? basename(path) : `${basename(path)}: ${more}`;
    });
}

async function rulesChanged(before: Parts['rules'], after: Parts['rules']): Promise<readonly string[]> {
  if (before === after) return [];
  const counts = await inSlices(countLines(before.value.hba.records, after.value.hba.records));
  return changedFiles(before.sources, after.sources, (file) => {
    const count = counts.get(file);
    if (count === undefined) return '';
    const { lines, added, gone } = count;
    return [
      lineCount(lines),
      ...(added > 0 ? [`${added} new`] : []),
      ...(gone > 0 ? [`${gone} gone`] : []),
    ].join(', ');
  });
}

function lineCount(lines: number): string {
  return `${lines} ${lines === 1 ? 'line' : 'lines'}`;
}

/** The lines of one file. */
interface LineCount {
  lines: number;
  added: number;
  gone: number;
  /** Lines of before that stand for none of now, by their text. */
  readonly left: Map<ByteString, number>;
}

/** The lines of each file: how many there are, and how many were not there before or are no longer, wherever they stand. */
function* countLines(was: readonly HbaRecord[], is: readonly HbaRecord[]): Steps<Map<string, LineCount>> {
  const counts = new Map<string, LineCount>();
  const countOf = (file: string): LineCount => {
    const known = counts.get(file) ?? { lines: 0, added: 0, gone: 0, left: new Map<ByteString, number>() };
    counts.set(file, known);
    return known;
  };
  for (const [index, { file, raw }] of was.entries()) {
    const count = countOf(file);
    count.gone++;
    count.left.set(raw, (count.left.get(raw) ?? 0) + 1);
    if (index % LINES_A_STEP === 0) yield;
  }
  for (const [index, { file, raw }] of is.entries()) {
    const count = countOf(file);
    const same = count.left.get(raw) ?? 0;
    count.lines++;
    if (same === 0) count.added++;
    else count.gone--;
    if (same > 0) count.left.set(raw, same - 1);
    if (index % LINES_A_STEP === 0) yield;
  }
  return counts;
}
