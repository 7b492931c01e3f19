// The man page pg-gatehouse(1), from the tree of commands: `node tools/man-page.ts [FILE]` writes it there, else to
// standard output. The packages have it made when they are built, so it names what the program of the same build takes.

import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { VERSION } from '../src/base/version.ts';
import { commandTree, type CommandFacts } from '../src/commands/command-tree.ts';
import { ABOUT } from '../src/commands/configuration.ts';
import { createProgram } from '../src/commands/program.ts';

/** The page as roff, for man(7)'s macros. */
export function manPage(): string {
  const tree = commandTree(createProgram());
  const commands = tree.filter(({ path }) => path !== '');
  return [
    String.raw`.\" Made by tools/man-page.ts from the commands themselves.`,
    `.TH PG\\-GATEHOUSE 1 "${day()}" "pg\\-gatehouse ${roff(VERSION)}" "User Commands"`,
    '.SH NAME',
    `pg\\-gatehouse \\- ${roff('mutual TLS, pg_hba.conf and pg_ident.conf in front of a PostgreSQL server')}`,
    '.SH SYNOPSIS',
    ...tree
      .filter(({ commands: below }) => below.length === 0)
      .flatMap((command, index) => [...(index > 0 ? ['.PP'] : []), usage(command)]),
    '.SH DESCRIPTION',
    roff(ABOUT),
    roff(
      'Clients connect to the gate with TLS and a certificate. It decides by the lines of a pg_hba.conf as PostgreSQL would, and relays the sessions that it admits to a server that has no TLS.',
    ),
    '.SH COMMANDS',
    ...commands.flatMap(describe),
    ...sections.flatMap(([title, ...paragraphs]) => [
      `.SH ${title}`,
      // The first paragraph of a section needs no macro.
      ...paragraphs.flatMap(paragraph).filter((line, index) => index > 0 || line !== '.PP'),
    ]),
    '',
  ].join('\n');
}

/** The day of the build; a build that is to be the same again sets SOURCE_DATE_EPOCH. */
function day(): string {
  const { SOURCE_DATE_EPOCH: epoch } = process.env;
  return new Date(epoch === undefined ? Date.now() : Number(epoch) * 1000).toISOString().slice(0, 10);
}

function usage({ path, arguments: args, options }: CommandFacts): string {
  const words = [
    bold(`pg-gatehouse ${path}`.trim()),
    ...(options.length > 1 ? ['[options]'] : []),
    ...args.map(({ term }) => roff(term)),
  ];
  return words.join(' ');
}

function describe(command: CommandFacts): string[] {
  if (command.commands.length > 0) return [];
  return [
    `.SS ${roff(command.path)}`,
    roff(sentence(command.description)),
    ...command.arguments.flatMap(({ term, description }) => tagged(roff(term), description)),
    ...command.options
      .filter(({ names }) => !names.includes('--help'))
      .flatMap(({ flags, description }) => tagged(bold(flags), description)),
  ];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** A term with what it means, indented. */
function tagged(term: string, text: string): string[] {
  return ['.TP', term, roff(text)];
}

/** A paragraph, or a term and its meaning. */
function paragraph(text: string | readonly [term: string, meaning: string]): string[] {
  return typeof text === 'string' ? ['.PP', roff(text)] : tagged(bold(text[0]), text[1]);
}

const sections: readonly [
  title: string,
  ...paragraphs: (string | readonly [term: string, meaning: string])[],
][] = [
  [
    'CONFIGURATION',
    'The YAML file is that of --config, else that of PG_GATEHOUSE_CONFIG, else ./gatehouse.yaml, else /etc/pg-gatehouse/gatehouse.yaml. Relative paths in it are relative to it.',
    'A setting given by --set NAME=VALUE goes over the environment, and that over the file. A reload reads the file again and keeps the others.',
  ],
  [
    'ENVIRONMENT',
    ['PG_GATEHOUSE_CONFIG', 'The YAML file, where --config names none.'],
    [
      'PG_GATEHOUSE__NAME',
      'A setting, with two underscores there and for each dot of its name: PG_GATEHOUSE__PORT, PG_GATEHOUSE__UPSTREAM__PORT. An empty one is none.',
    ],
  ],
  [
    'SIGNALS',
    ['SIGHUP', 'Reads every file of the configuration again.'],
    [
      'SIGTERM',
      'Drains: new clients are refused, sessions may finish for shutdown_timeout, and the exit status is 0.',
    ],
    ['SIGINT', 'The same with no wait.'],
  ],
  [
    'EXIT STATUS',
    ['0', 'It went well; also after a drain.'],
    ['1', 'It could not start, a check failed, or a running gate did not do what was asked.'],
    ['2', 'The command line was wrong.'],
  ],
  [
    'FILES',
    ['/etc/pg-gatehouse/gatehouse.yaml', 'The configuration, where nothing else names one.'],
    ['pg_hba.conf, pg_ident.conf', 'The rules and the user name maps, beside it unless it says otherwise.'],
  ],
  [
    'SEE ALSO',
    'psql(1), openssl(1). Among the pages of the package, on Debian in /usr/share/doc/pg-gatehouse, configuration.md explains every setting and errors.md every code of the log.',
  ],
];

function bold(text: string): string {
  return String.raw`\fB${roff(text)}\fR`;
}

/** Text for roff: no character of it is a command, and a hyphen stays one that can be copied. */
function roff(text: string): string {
  const escaped = text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll("'", String.raw`\(aq`)
    .replaceAll('`', String.raw`\(ga`)
    .replaceAll('^', String.raw`\(ha`)
    .replaceAll('~', String.raw`\(ti`)
    .replaceAll('…', '...');
  return escaped.startsWith('.') ? String.raw`\&${escaped}` : escaped;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , file] = process.argv;
  if (file === undefined) process.stdout.write(manPage());
  else writeFileSync(file, manPage());
}
