// What a reload keeps of the settings before: those that need a restart.

import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '../base/problems.ts';
import type { Attempt } from './parts.ts';
import { isSettingName, schema, type SettingName, type Settings } from './schema.ts';
import { settingsOf, valueOf } from './setting-values.ts';

/** Newly read settings with the old values of those that need a restart, and a warning for each that differs. */
export function withoutRestartOnly(
  attempted: Attempt<Settings>,
  old: Settings,
): { readonly settings: Attempt<Settings>; readonly warnings: readonly Problem[] } {
  if (!attempted.ok) return { settings: attempted, warnings: [] };
  const { value: read } = attempted;
  const warnings = Object.keys(schema)
    .filter(isSettingName)
    .filter((name) => needsRestart(name) && !isDeepStrictEqual(valueOf(read, name), valueOf(old, name)))
    .map((name) => ({
      file: read.placeOf(name).file,
      line: read.placeOf(name).line,
      message: `parameter "${name}" cannot be changed without restarting the server`,
    }));
  const value = settingsOf((name) => valueOf(needsRestart(name) ? old : read, name), read);
  return { settings: { ...attempted, value }, warnings };
}

function needsRestart(name: SettingName): boolean {
  return schema[name].restart;
}
