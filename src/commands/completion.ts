// `pg-gatehouse completion bash|zsh|fish`: prints the completion script of a shell (contract §1, §17). The scripts are made
// from the tree of commands and start no program while somebody types.

import { Argument, type Command } from 'commander';
import { action, exitStatus } from './action.ts';
import { commandTree, type CommandFacts, type OptionFacts, type Value } from './command-tree.ts';
import { output } from './output.ts';

const makers = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
type Shell = keyof typeof makers;

/** Adds the `completion` command to the program. */
export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .description("print a shell's completion script")
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(makers)))
    .addHelpText(
      'after',
      `
Examples:
  bash: source <(pg-gatehouse completion bash)
  zsh:  pg-gatehouse completion zsh > "\${fpath[1]}/_pg-gatehouse"
  fish: pg-gatehouse completion fish > ~/.config/fish/completions/pg-gatehouse.fish`,
    )
    .action(
      action(async (shell: Shell) => {
        output(makers[shell](completed(commandTree(program))));
        return exitStatus.fine;
      }),
    );
}

/** `serve` is the default command: its options may follow the program's name at once. */
function completed(tree: readonly CommandFacts[]): readonly CommandFacts[] {
  const serve = tree.find(({ path }) => path === 'serve');
  return tree.map((command) =>
    command.path === '' && serve !== undefined
      ? {
          ...command,
          options: [...command.options, ...serve.options.filter(({ names }) => !names.includes('--help'))],
        }
      : command,
  );
}

/** The words that lead from one command to the next: `'' serve`, `pki init`. */
function steps(tree: readonly CommandFacts[]): { readonly from: string; readonly word: string }[] {
  return tree
    .filter(({ path }) => path !== '')
    .map(({ path }) => {
      const words = path.split(' ');
      return { from: words.slice(0, -1).join(' '), word: words.at(-1) ?? '' };
    });
}

/** Everything that may come next, but for values of options. */
function nextWords({ commands, options, arguments: args }: CommandFacts): string[] {
  return [
    ...commands.map(({ name }) => name),
    ...args.flatMap(({ value }) => (value.kind === 'words' ? value.words : [])),
    ...options.flatMap(({ names }) => names),
  ];
}

/** A text in single quotes, for bash and zsh. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

const HEAD = 'made by pg-gatehouse completion; it starts no program.';

function bashScript(tree: readonly CommandFacts[]): string {
  const stepCases = steps(tree).map(({ from, word }) => quoted(`${from} ${word}`));
  const values = tree.flatMap(({ path, options }) =>
    options.flatMap(({ names, value }) =>
      value === null
        ? []
        : [
            `        ${names.map((name) => quoted(`${path} ${name}`)).join('|')}) ${bashValue(value)}; return ;;`,
          ],
    ),
  );
  const words = tree.map(
    (command) =>
      `        ${quoted(command.path)}) _pg_gatehouse_offer -W ${quoted(nextWords(command).join(' '))} -- "$cur" ;;`,
  );
  // Nothing here that the bash 3.2 of macOS lacks, but compopt, without which a space comes too early and no more.
  return `# bash completion for pg-gatehouse, ${HEAD}
_pg_gatehouse_offer() {
    local line
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$@")
}

_pg_gatehouse() {
    local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command='' i
    COMPREPLY=()
    # bash takes --config=FILE apart into three words.
    if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' && $COMP_CWORD -gt 1 ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$command \${COMP_WORDS[i]}" in
        ${stepCases.join('|')}) command="\${command:+$command }\${COMP_WORDS[i]}" ;;
        esac
    done
    case "$command $prev" in
${values.join('\n')}
    esac
    case "$command" in
${words.join('\n')}
    esac
}

complete -F _pg_gatehouse pg-gatehouse
`;
}

function bashValue(value: Value): string {
  switch (value.kind) {
    case 'file':
      return 'compopt -o filenames 2>/dev/null; _pg_gatehouse_offer -f -- "$cur"';
    case 'directory':
      return 'compopt -o filenames 2>/dev/null; _pg_gatehouse_offer -d -- "$cur"';
    case 'words':
      return `_pg_gatehouse_offer -W ${quoted(value.words.join(' '))} -- "$cur"`;
    case 'setting':
      return `compopt -o nospace 2>/dev/null; _pg_gatehouse_offer -W ${quoted(value.words.join(' '))} -- "$cur"`;
    case 'other':
      return ':';
    default:
      return value satisfies never;
  }
}

function zshScript(tree: readonly CommandFacts[]): string {
  const stepCases = steps(tree).map(({ from, word }) => quoted(`${from} ${word}`));
  const cases = tree.map((command) => {
    const { path, commands, options, arguments: args } = command;
    const next = commands.map(({ name, description }) => quoted(`${name}:${description}`));
    const describe =
      next.length === 0
        ? ''
        : `next=(${next.join(' ')}); [[ \${words[CURRENT]} == -* ]] || _describe command next\n            `;
    const positional = args.map(({ value }) =>
      quoted(`*:value:(${value.kind === 'words' ? value.words.join(' ') : ' '})`),
    );
    const specs = [...options.map(zshOption), ...positional];
    return `        (${quoted(path)})
            ${describe}_arguments -S ${specs.join(' ')} ;;`;
  });
  return `#compdef pg-gatehouse
# zsh completion for pg-gatehouse, ${HEAD}
_pg_gatehouse() {
    local command='' i=2
    local -a next
    while ((i < CURRENT)); do
        case "$command \${words[i]}" in
        (${stepCases.join('|')})
            command="\${command:+$command }\${words[i]}"
            # From here on this is the command that options and values are counted from.
            shift $((i - 1)) words
            ((CURRENT -= i - 1))
            i=1 ;;
        esac
        ((i++))
    done
    case "$command" in
${cases.join('\n')}
    esac
}

if [[ \${funcstack[1]} == _pg-gatehouse ]]; then _pg_gatehouse "$@"; else compdef _pg_gatehouse pg-gatehouse; fi
`;
}

function zshOption({ names, description, value }: OptionFacts): string {
  const told = description.replaceAll(/[[\]\\:]/g, String.raw`\$&`);
  return names.map((name) => quoted(`*${name}[${told}]${zshValue(value)}`)).join(' ');
}

function zshValue(value: Value | null): string {
  if (value === null) return '';
  switch (value.kind) {
    case 'file':
      return ':file:_files';
    case 'directory':
      return ':directory:_files -/';
    case 'words':
      return `:value:(${value.words.join(' ')})`;
    case 'setting':
      return `:setting:compadd -S "" -- ${value.words.join(' ')}`;
    case 'other':
      return ':value:( )';
    default:
      return value satisfies never;
  }
}

function fishScript(tree: readonly CommandFacts[]): string {
  const stepCases = steps(tree).map(({ from, word }) => fishQuoted(`${from} ${word}`));
  const lines = tree.flatMap(({ path, commands, options, arguments: args }) => {
    const at = `complete -c pg-gatehouse -n ${fishQuoted(`__pg_gatehouse_at ${fishQuoted(path)}`)}`;
    return [
      ...commands.map(({ name, description }) => `${at} -a ${name} -d ${fishQuoted(description)}`),
      ...args.flatMap(({ value }) =>
        value.kind === 'words' ? [`${at} -a ${fishQuoted(value.words.join(' '))}`] : [],
      ),
      ...options.map(
        ({ names, description, value }) =>
          `${at} ${names.map(fishName).join(' ')}${fishValue(value)} -d ${fishQuoted(description)}`,
      ),
    ];
  });
  return `# fish completion for pg-gatehouse, ${HEAD}
function __pg_gatehouse_at
    set -l command ''
    for word in (commandline -opc)[2..-1]
        switch "$command $word"
            case ${stepCases.join(' ')}
                if test -n "$command"
                    set command "$command $word"
                else
                    set command $word
                end
        end
    end
    test "$command" = "$argv[1]"
end

complete -c pg-gatehouse -e
complete -c pg-gatehouse -f
${lines.join('\n')}
`;
}

function fishName(name: string): string {
  return name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`;
}

function fishValue(value: Value | null): string {
  if (value === null) return '';
  switch (value.kind) {
    case 'file':
      return ' -r -F';
    case 'directory':
      return " -x -a '(__fish_complete_directories)'";
    case 'words':
    case 'setting':
      return ` -x -a ${fishQuoted(value.words.join(' '))}`;
    case 'other':
      return ' -x';
    default:
      return value satisfies never;
  }
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
}
