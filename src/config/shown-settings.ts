// The settings in force as texts: what SHOW and the console's table `settings` answer.

import { toText } from '../base/bytestring.ts';
import type { SettingPlace } from '../base/problems.ts';
import { formatNetwork, type Network } from '../rules/address.ts';
import { isSettingName, schema, secretSettings, type Settings } from './schema.ts';
import { valueOf } from './setting-values.ts';

/** One setting in force. */
export interface ShownSetting {
  readonly name: string;
  /** Null = it may hold a secret, and is shown to nobody. */
  readonly setting: string | null;
  /** `ms` for a duration, which `setting` then counts in; else null. */
  readonly unit: 'ms' | null;
  readonly source: SettingPlace['source'];
  /** Whether a change needs a restart. */
  readonly restart: boolean;
  /** The default, as YAML would write it. */
  readonly initial: string;
}

/** All of them, in the order of the schema. */
export function shownSettings(settings: Settings): ShownSetting[] {
  return Object.keys(schema)
    .filter(isSettingName)
    .map((name) => {
      const { type, restart, written } = schema[name];
      return {
        name,
        setting: secretSettings.has(name) ? null : textOf(valueOf(settings, name)),
        unit: type.startsWith('duration') ? 'ms' : null,
        source: settings.placeOf(name).source,
        restart,
        initial: written.replace(/^'(.*)'$/, '$1'),
      };
    });
}

/** A value as the operator may write it. */
function textOf(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (Array.isArray(value)) return value.map(itemOf).join(', ');
  if (value instanceof Map) {
    const roles = [...value].map(([role, members]) => `${nameOf(role)}: [${members.map(nameOf).join(', ')}]`);
    return `{${roles.join(', ')}}`;
  }
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function itemOf(item: unknown): string {
  return isNetwork(item) ? formatNetwork(item) : toText(String(item));
}

function isNetwork(value: unknown): value is Network {
  return typeof value === 'object' && value !== null && 'mask' in value;
}

/** A name in a map, in quotes where YAML would read it as something else. */
function nameOf(name: unknown): string {
  const text = toText(String(name));
  const isPlain = /^[\p{L}\p{N}_][\p{L}\p{N}_.@-]*$/u.test(text) && !/^null$/i.test(text);
  return isPlain ? text : JSON.stringify(text);
}
