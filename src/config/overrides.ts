// Settings from beside the YAML file: `--set NAME=VALUE` goes over the environment, and that over the file (contract
// §17). They are read once, at the start, and stay over the file at every reload.

import { nearest } from '../base/nearest.ts';
import type { Problem, SettingPlace } from '../base/problems.ts';
import type { Setting } from './kinds.ts';
import { isSettingName, olderNames, schema, secretSettings, type SettingName } from './schema.ts';
import { parseYaml, type YamlText } from './yaml.ts';

/** Names the configuration file. One underscore: it is not a setting. */
export const CONFIG_VARIABLE = 'PG_GATEHOUSE_CONFIG';

/** One underscore is what Kubernetes sets for a Service of our name (PG_GATEHOUSE_PORT), so a setting has two. */
const PREFIX = 'PG_GATEHOUSE__';

/** A value that goes over the file's. */
export interface Override {
  readonly source: Extract<SettingPlace['source'], 'environment variable' | 'command line'>;
  /** What stands in place of a file's name where something is wrong with it. */
  readonly label: string;
  readonly text: string;
}

export interface Overrides {
  readonly values: ReadonlyMap<SettingName, Override>;
  /** What is wrong with their names. */
  readonly problems: readonly Problem[];
}

export const noOverrides: Overrides = { values: new Map(), problems: [] };

/** An option `--set NAME=VALUE`. */
export interface SetOption {
  readonly name: string;
  readonly value: string;
}

/**
 * What goes over the file.
 *
 * @param env of the process; an empty variable is none
 * @param options each `--set`, in their order: of two for one name the last one counts, as PostgreSQL's `-c`
 */
export function overridesOf(
  env: Readonly<Record<string, string | undefined>>,
  options: readonly SetOption[],
): Overrides {
  const problems: Problem[] = [];
  const variables = new Map<SettingName, Override>();
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || text === undefined || text === '') continue;
    const label = `environment variable ${variable}`;
    const name = nameOf(variable, variableNames, label, problems);
    if (name === null) continue;
    const earlier = variables.get(name);
    if (earlier !== undefined)
      problems.push(problem(label, `parameter "${name}" is set twice, first by ${earlier.label}`));
    variables.set(name, { source: 'environment variable', label, text });
  }
  const set = new Map<SettingName, Override>();
  for (const { name: given, value: text } of options) {
    const label = `--set ${given}`;
    const name = nameOf(given, names, label, problems);
    if (name !== null) set.set(name, { source: 'command line', label, text });
  }
  return { values: new Map([...variables, ...set]), problems };
}

/** The setting for each name as `--set` takes it, and as the environment has it. */
const names: ReadonlyMap<string, SettingName> = new Map([
  ...Object.keys(schema)
    .filter(isSettingName)
    .map((name): [string, SettingName] => [name, name]),
  ...olderNames,
]);
const variableNames: ReadonlyMap<string, SettingName> = new Map(
  [...names].map(([name, setting]) => [`${PREFIX}${name.toUpperCase().replaceAll('.', '__')}`, setting]),
);

function nameOf(
  given: string,
  known: ReadonlyMap<string, SettingName>,
  label: string,
  problems: Problem[],
): SettingName | null {
  const name = known.get(given);
  if (name === undefined) {
    const meant = nearest(given, [...known.keys()]);
    problems.push(
      problem(
        label,
        `unrecognized configuration parameter "${given}"`,
        meant === null ? undefined : `Perhaps you meant "${meant}".`,
      ),
    );
    return null;
  }
  return name;
}

function problem(label: string, message: string, hint?: string): Problem {
  return { file: label, line: null, message, ...(hint === undefined ? {} : { hint }) };
}

/** An override's value as the YAML file would have it: a map in YAML's own spelling, anything else as it stands. */
export function writtenOverride(setting: Pick<Setting<unknown>, 'isMap'>, text: string): YamlText {
  if (setting.isMap) return parseYaml(text);
  return { root: { kind: 'scalar', text, at: { line: 1, column: 1 } }, problems: [] };
}

/** The overrides as the hash of config_info counts them. SECURITY: of a secret one only that it is there. */
export function shownOverrides({ values }: Overrides): string[] {
  return [...values]
    .map(([name, { text }]) => (secretSettings.has(name) ? name : `${name} = ${text}`))
    .toSorted();
}
