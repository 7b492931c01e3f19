// docs/operations.md, docs/security.md and SECURITY.md: every setting, code, metric, file, route and command that they
// name is there, and the limits are those of the code.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { isSettingName, schema } from '../../src/config/schema.ts';
import { codes } from '../../src/base/codes.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { runProgram } from '../support/run/program.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = ['docs/operations.md', 'docs/security.md', 'SECURITY.md'].map((path) => ({
  path,
  text: readFileSync(join(root, path), 'utf8'),
}));

await test('links lead somewhere', async (t) => {
  for (const { path, text } of pages) {
    for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g)) {
      const [file = '', anchor] = target.split('#');
      const linked = file === '' ? path : join(dirname(path), file);
      t.ok(existsSync(join(root, linked)), `${path}: ${target}`);
      if (anchor !== undefined) t.ok(anchors(linked).includes(anchor), `${path}: ${target}`);
    }
  }
});

await test('settings, codes and metrics exist', async (t) => {
  const metrics = await createMetrics().text();
  const commandLine = /^(client|server)_tls|^auth_|^listen_addr$/;
  for (const { path, text } of pages) {
    const words = [...text.matchAll(/`([a-z][a-z0-9_.-]*)(?::[^`]*)?`/g)].map(([, word = '']) => word);
    for (const word of new Set(words)) {
      if (word.startsWith('gatehouse_')) t.match(metrics, `# TYPE ${word} `, `${path}: ${word}`);
      else if (isSetting(word) && !commandLine.test(word)) t.ok(isSettingName(word), `${path}: ${word}`);
      else if (isCode(word)) t.ok(Object.hasOwn(codes, word), `${path}: ${word}`);
    }
  }
});

await test("the limits' defaults and codes are the program's", async (t) => {
  const security = pages[1]!.text;
  const table = security.slice(security.indexOf('## Limits'));
  const rows = [...table.matchAll(/^\| [^|]+ \| `([a-z_.]+)`, (\S+) \| `([a-z-]+)` \|$/gm)];
  t.equal(rows.length, 7);
  for (const [, setting = '', written, code = ''] of rows) {
    t.ok(isSettingName(setting), setting);
    if (isSettingName(setting)) t.equal(schema[setting].written, written, setting);
    t.ok(Object.hasOwn(codes, code), code);
  }
});

await test('every command and option that is typed exists', async (t) => {
  const typed = pages.flatMap(({ text }) =>
    [...text.matchAll(/(?:^|`|\$ )pg-gatehouse ((?:pki )?[a-z]+)((?: [^\n`#|]+)?)/gm)].map(
      ([, command = '', rest = '']) => ({
        command,
        options: rest.match(/--[a-z-]+/g) ?? [],
      }),
    ),
  );
  const commands = new Set(typed.map(({ command }) => command));
  t.ok(commands.size > 5);
  for (const command of commands) {
    const { code, stdout } = await runProgram([...command.split(' '), '--help']);
    if (!t.equal(code, 0, command)) continue;
    for (const each of typed.filter((line) => line.command === command)) {
      for (const option of each.options) t.match(stdout, option, `${command} ${option}`);
    }
  }
});

/** Words that look like a setting of the YAML file: one that has a family there, or a name of two words or more. */
function isSetting(word: string): boolean {
  return /^(ssl|max|reload|upstream|admin|listen|shutdown|idle|authentication|hba|ident)[_.]/.test(word);
}

function isCode(word: string): boolean {
  return (
    /^(client-cert|upstream|too-many|handshake|tls|admin-terminated|idle-session|authentication-timeout|invalid-startup)-?/.test(
      word,
    ) && word.includes('-')
  );
}

function anchors(path: string): string[] {
  return [...readFileSync(join(root, path), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
