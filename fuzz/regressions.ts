// Inputs that once broke something, or that reach far: test/fixtures/fuzz/TARGET/, one file each.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TargetName } from './target.ts';

/** The kept inputs of a target, by file name. */
export function regressionFiles(name: TargetName): Map<string, Buffer> {
  const folder = fileURLToPath(new URL(`../test/fixtures/fuzz/${name}/`, import.meta.url));
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return new Map();
  return new Map(readdirSync(folder).map((file) => [file, readFileSync(`${folder}${file}`)]));
}

export function regressionsOf(name: TargetName): Buffer[] {
  return [...regressionFiles(name).values()];
}
