// `--config` and `--set`, as commander takes them.

import { InvalidArgumentError, type Command } from 'commander';
import { CONFIG_VARIABLE, settingOf, type SetOption } from '../config/overrides.ts';

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
  const setting = settingOf(text);
  if (setting === null) throw new InvalidArgumentError('give NAME=VALUE, such as upstream.port=5433');
  return [...before, setting];
}
