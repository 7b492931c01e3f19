// The object with all settings: made from one value for each name of the schema, and asked by name.

import type { SettingPlace } from '../base/problems.ts';
import { isSettingName, olderNames, schema, type Origin, type SettingName, type Settings } from './schema.ts';

/** The value of one setting by its full name. */
export function valueOf(settings: Settings, name: SettingName): unknown {
  return at(settings, name);
}

/** Settings from a value for each name. */
export function settingsOf(value: (name: SettingName) => unknown, { file, placeOf }: Origin): Settings {
  const settings: Record<string, unknown> = { file, placeOf };
  for (const name of Object.keys(schema).filter(isSettingName)) {
    const [top, leaf] = split(name);
    if (leaf === undefined) settings[top] = value(name);
    else settings[top] = { ...Object(settings[top]), [leaf]: value(name) };
  }
  if (!isComplete(settings)) throw new Error('a setting has no value');
  return settings;
}

/** Where settings were read, from the places of those that are not defaults. */
export function originOf(file: string, places: ReadonlyMap<string, SettingPlace>): Origin {
  return {
    file,
    placeOf: (name) => places.get(olderNames.get(name) ?? name) ?? { source: 'default', file, line: null },
  };
}

function isComplete(settings: object): settings is Settings {
  return Object.keys(schema).every((name) => at(settings, name) !== undefined);
}

function at(settings: object, name: string): unknown {
  const [top, leaf] = split(name);
  const value: unknown = Reflect.get(settings, top);
  return leaf === undefined ? value : Reflect.get(Object(value), leaf);
}

/** `upstream.host` is `upstream` and `host`. */
function split(name: string): readonly [top: string, leaf: string | undefined] {
  const dot = name.indexOf('.');
  return dot === -1 ? [name, undefined] : [name.slice(0, dot), name.slice(dot + 1)];
}
