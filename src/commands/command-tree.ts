// What there is to type: every command with its options and arguments as plain data, read from commander's tree. So the
// completion scripts and the man page name what the program takes, and nothing else.

import type { Argument, Command, Option } from 'commander';
import { olderNames, schema } from '../config/schema.ts';

/** What a shell may offer for a value. `other` = nothing can be known of it. */
export type Value =
  | { readonly kind: 'file' | 'directory' | 'other' }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  /** NAME=VALUE of a setting; the names. */
  | { readonly kind: 'setting'; readonly words: readonly string[] };

export interface OptionFacts {
  /** `--config`, or `-V` before it. */
  readonly names: readonly string[];
  /** As the help has it: `--config <file>`. */
  readonly flags: string;
  readonly description: string;
  /** Null = it takes none. */
  readonly value: Value | null;
}

export interface CommandFacts {
  /** The words after the program's name: `pki init`; empty for the program itself. */
  readonly path: string;
  readonly description: string;
  /** `<id...>`, `[name]`. */
  readonly arguments: readonly {
    readonly term: string;
    readonly description: string;
    readonly value: Value;
  }[];
  readonly options: readonly OptionFacts[];
  /** The next word, where it is a command. */
  readonly commands: readonly { readonly name: string; readonly description: string }[];
}

/** The program, then each command below it, in the order of the help. */
export function commandTree(program: Command): readonly CommandFacts[] {
  return factsOf(program, []);
}

function factsOf(command: Command, path: readonly string[]): CommandFacts[] {
  const help = command.createHelp();
  const children = help.visibleCommands(command);
  const below = children.filter((child) => command.commands.includes(child));
  const facts: CommandFacts = {
    path: path.join(' '),
    description: command.description(),
    arguments: command.registeredArguments.map((argument) => ({
      term: argument.required ? `<${nameOf(argument)}>` : `[${nameOf(argument)}]`,
      description: argument.description,
      value:
        argument.argChoices === undefined ? { kind: 'other' } : { kind: 'words', words: argument.argChoices },
    })),
    options: help.visibleOptions(command).map(optionFacts),
    commands: children.map((child) => ({
      name: child.name(),
      description: help.subcommandDescription(child),
    })),
  };
  return [facts, ...below.flatMap((child) => factsOf(child, [...path, child.name()]))];
}

function nameOf(argument: Argument): string {
  return `${argument.name()}${argument.variadic ? '...' : ''}`;
}

function optionFacts(option: Option): OptionFacts {
  return {
    names: [option.short, option.long].filter((name) => name !== undefined),
    flags: option.flags,
    description: option.description,
    value: option.required || option.optional ? valueOf(option) : null,
  };
}

function valueOf({ flags, argChoices }: Option): Value {
  if (argChoices !== undefined) return { kind: 'words', words: argChoices };
  const taken = /[<[](.*)[>\]]/.exec(flags)?.[1] ?? '';
  if (taken === 'file') return { kind: 'file' };
  if (taken === 'directory' || taken === 'dir') return { kind: 'directory' };
  if (taken === 'name=value')
    return {
      kind: 'setting',
      words: [...Object.keys(schema), ...olderNames.keys()].map((name) => `${name}=`),
    };
  return { kind: 'other' };
}
