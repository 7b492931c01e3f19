// Writes docs/configuration.md, config/gatehouse.yaml and config/gatehouse.schema.json from the schema.
// `node tools/configuration-docs.ts` renews them; a test compares them with what this file makes.

import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Setting } from '../src/config/kinds.ts';
import { retiredSettings } from '../src/config/retired.ts';
import { groups, olderNames, schema, sections } from '../src/config/schema.ts';

const WIDTH = 100;

/** docs/configuration.md: every setting, under its section. */
export function configurationDocs(): string {
  const blocks = [
    '# Configuration',
    '<!-- Made by tools/configuration-docs.ts from src/config/schema.ts. -->',
    'One YAML file holds every setting; [config/gatehouse.yaml](../config/gatehouse.yaml) is a copy of all of them with their defaults, and [config/gatehouse.schema.json](../config/gatehouse.schema.json), which its first line names, tells an editor what each may be. Where PostgreSQL has a setting of the same name, it means the same here, and lines of a `postgresql.conf` move over as they stand, with `:` in place of `=`.',
    'The file is that of `--config`; else that of the environment variable `PG_GATEHOUSE_CONFIG`; else `./gatehouse.yaml`; else `/etc/pg-gatehouse/gatehouse.yaml`. One setting can be given beside it: `--set NAME=VALUE` (`serve`, `check` and `explain` take it several times) goes over the environment, and that over the file. The variable of a setting is `PG_GATEHOUSE__NAME`, with two underscores there and for each dot: `PG_GATEHOUSE__PORT`, `PG_GATEHOUSE__UPSTREAM__PORT`. Kubernetes sets variables with one underscore for a Service of this name; the gate ignores them. It ignores an empty variable too, and refuses one that names no setting. A list is written with commas, `roles` as in YAML: `{readers: [alice]}`. A reload reads the file again, and these values stay over it. The table `settings` of the console says where each value came from. Every user of the machine can read the arguments of a process: a passphrase in the text of `ssl_passphrase_command` belongs in the file.',
    'Relative paths are relative to the YAML file, those given beside it too. A boolean is any unique prefix of `on`, `off`, `true`, `false`, `yes`, `no`, or `1` or `0`. A duration is a number with one of the units `us`, `ms`, `s`, `min`, `h` and `d`, or a bare number in the unit that the setting names. A name with a dot is a key beneath a group: `upstream.host` is `host` beneath `upstream:`. An unknown key, a wrong value or a key set twice is an error with its file, line and column, and nothing is loaded.',
    'A reload (SIGHUP, `POST /reload`, or changed content while `reload.watch` is on) reads the file again. Four parts reload independently, each whole or not at all: the settings, the TLS material, the rules and the maps. A part with an error keeps its old state. Settings marked _restart_ keep their old value until the gate is started again, with a warning in the log.',
    ...sections.flatMap(({ title, settings }) => [
      `## ${title}`,
      ...Object.entries(settings).flatMap(([name, { type, written, doc, restart }]) => [
        `### ${name}`,
        `${type} · default \`${written}\` · ${restart ? '_restart_' : 'reload'}`,
        doc,
      ]),
    ]),
    '## Older names',
    ...[...olderNames].map(([older, name]) => `\`${older}\` is read as \`${name}\`.`),
    ...[...retiredSettings.keys()].map(
      (name) => `\`${name}: 0\` is taken with a warning, as PostgreSQL takes it, and means nothing.`,
    ),
  ];
  return `${blocks.join('\n\n')}\n`;
}

/** config/gatehouse.yaml: every setting with its default, explained. */
export function sampleConfiguration(): string {
  const lines = [
    '# yaml-language-server: $schema=gatehouse.schema.json',
    ...comment(
      'Every setting of pg-gatehouse with its default; a line may be left out. See docs/configuration.md.',
    ),
    ...comment('Made by tools/configuration-docs.ts from src/config/schema.ts.'),
  ];
  for (const { title, settings } of sections) {
    lines.push('', ...comment(`--- ${title}`));
    let open = '';
    for (const [name, { written, doc, restart }] of Object.entries(settings)) {
      const dot = name.indexOf('.');
      const group = dot < 0 ? '' : name.slice(0, dot);
      const indent = group === '' ? '' : '  ';
      lines.push('');
      if (group !== open && groups.has(group)) lines.push(`${group}:`);
      open = group;
      lines.push(...comment(outsideThePages(doc, restart), indent));
      lines.push(`${indent}${name.slice(dot + 1)}: ${written}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** config/gatehouse.schema.json: what an editor may know of a gatehouse.yaml. */
function editorSchema(): string {
  const top: Record<string, object> = {};
  const grouped = new Map<string, Record<string, object>>();
  for (const [name, setting] of Object.entries<Setting<unknown>>(schema)) {
    const [group = '', leaf] = name.split('.');
    if (leaf === undefined) {
      top[name] = editorSetting(setting);
      continue;
    }
    const properties = grouped.get(group) ?? {};
    properties[leaf] = editorSetting(setting);
    grouped.set(group, properties);
    top[group] = { type: ['object', 'null'], additionalProperties: false, properties };
  }
  for (const [older, name] of olderNames)
    top[older] = { ...editorSetting(schema[name]), deprecationMessage: `The older name of ${name}.` };
  for (const [name, { json }] of retiredSettings)
    top[name] = { ...json, deprecationMessage: 'It means nothing any more: delete the line.' };
  const whole = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'gatehouse.yaml, the configuration of pg-gatehouse',
    $comment: 'Made by tools/configuration-docs.ts from src/config/schema.ts.',
    type: ['object', 'null'],
    additionalProperties: false,
    properties: top,
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

function editorSetting({ doc, restart, written, json }: Setting<unknown>): object {
  const initial: unknown = written === '{}' ? {} : written.replace(/^'(.*)'$/, '$1');
  const value = typeof initial === 'string' && /^\d+$/.test(initial) ? Number(initial) : initial;
  return { description: outsideThePages(doc, restart), default: value, ...json };
}

/** What a setting's comment or tooltip says: nobody can follow a link there, so a page is named from the repository's root. */
function outsideThePages(doc: string, restart: boolean): string {
  const named = doc.replaceAll(/\[([^\]]+)\]\(([^)#]+)#[^)]*\)/g, 'docs/$2 ($1)');
  return `${named}${restart ? ' A change of the setting needs a restart.' : ''}`;
}

/** Text as comment lines of at most WIDTH characters. */
function comment(text: string, indent = ''): string[] {
  const lines: string[] = [];
  let line = `${indent}#`;
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = `${indent}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/** What is made, by its path in the repository. */
export const made: Readonly<Record<string, () => string>> = {
  'docs/configuration.md': configurationDocs,
  'config/gatehouse.yaml': sampleConfiguration,
  'config/gatehouse.schema.json': editorSchema,
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [path, make] of Object.entries(made))
    writeFileSync(new URL(`../${path}`, import.meta.url), make());
}
