// Where a command finds the configuration: --config, PG_GATEHOUSE_CONFIG, ./gatehouse.yaml or
// /etc/pg-gatehouse/gatehouse.yaml, with --set and the environment over it (contract §17).

import { lstatSync } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { errnoOf } from '../base/system-error.ts';
import { CONFIG_VARIABLE, overridesOf, type Overrides, type SetOption } from '../config/overrides.ts';
import { LoadError } from '../base/problems.ts';
import { RecordingFileSystem } from '../config/files.ts';
import { readSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { UsageError } from './action.ts';

/** What the program is, in the first lines of its help. */
export const ABOUT =
  'Mutual TLS, pg_hba.conf and pg_ident.conf in front of a PostgreSQL server that has none of them.';

/** Looked for in this order where nothing names a file. */
const DEFAULT_PLACES = ['gatehouse.yaml', '/etc/pg-gatehouse/gatehouse.yaml'] as const;

export interface ConfigurationOptions {
  readonly config?: string;
  readonly set?: readonly SetOption[];
}

export interface Configuration {
  /** Path of the YAML file. */
  readonly file: string;
  readonly overrides: Overrides;
  /** Whether the operator has named the file; false = it was found in a default place. */
  readonly isNamed: boolean;
}

/** Adds `--config` to a command. */
export function withConfig(command: Command): Command {
  return command.option(
    '--config <file>',
    `the YAML file; else that of ${CONFIG_VARIABLE}, ./gatehouse.yaml or /etc/pg-gatehouse/gatehouse.yaml`,
  );
}

/** Adds `--config` and `--set` to a command. */
export function withConfiguration(command: Command): Command {
  return withConfig(command).option(
    '--set <name=value>',
    'a setting that goes over the environment and the file; may be given several times',
    addSetting,
    [],
  );
}

function addSetting(text: string, before: readonly SetOption[]): readonly SetOption[] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('give NAME=VALUE, such as upstream.port=5433');
  return [...before, { name: text.slice(0, equals), value: text.slice(equals + 1) }];
}

/**
 * The configuration that a command is to use.
 *
 * @throws UsageError with the first lines of help where there is none
 */
export function configurationOf(options: ConfigurationOptions): Configuration {
  const found = findConfiguration(options);
  if (found === null) throw new UsageError(firstLines());
  return found;
}

/** The same; null where there is none. */
export function findConfiguration({ config, set = [] }: ConfigurationOptions): Configuration | null {
  const variable = process.env[CONFIG_VARIABLE];
  const named = config ?? (variable === undefined || variable === '' ? undefined : variable);
  const file = named ?? DEFAULT_PLACES.find(isThere);
  if (file === undefined) return null;
  const overrides = overridesOf(process.env, set);
  return { file: named ?? resolve(file), overrides, isNamed: named !== undefined };
}

/**
 * Where the admin listener of a configuration stands, whatever else is wrong with it.
 *
 * @returns null where it does not say; only one in a default place may
 * @throws LoadError where the file that the operator has named does not say
 */
export async function readAdmin({
  file,
  overrides,
  isNamed,
}: Configuration): Promise<Settings['admin'] | null> {
  const path = resolve(file);
  const fs = new RecordingFileSystem();
  await fs.fetch(path);
  try {
    const { settings, problems, isWrong } = readSettings(path, fs, overrides);
    if (
      !isWrong('admin.listen') &&
      (problems.length === 0 || settings.placeOf('admin.listen').source !== 'default')
    )
      return settings.admin;
    throw new LoadError(problems);
  } catch (error) {
    // A file in a default place may be another user's to read. Commands worked without one, and go on to.
    if (error instanceof LoadError && !isNamed) return null;
    throw error;
  }
}

/** A file that cannot be looked at, or a link that leads nowhere, is there: another one in its place would mislead. */
function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
  }
}

function firstLines(): string {
  return `no configuration: neither --config nor ${CONFIG_VARIABLE} names one, and there is no ${DEFAULT_PLACES.join(' and no ')}

Usage: pg-gatehouse [options] [command]

${ABOUT}

To begin with:
  pg-gatehouse demo                                      a gate in front of an embedded PostgreSQL, and the psql line that connects
  pg-gatehouse migrate --conf postgresql.conf --out DIR  a configuration from a PostgreSQL server's own files
  pg-gatehouse check --config FILE                       what is wrong with a configuration, before it is served

pg-gatehouse --help shows all commands.`;
}
