// Contract §17: `--set NAME=VALUE` over the environment, and that over the YAML file, at the start and at every reload, in
// the first process and in workers; and whose fault an error is.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { LoadError } from '../../src/base/problems.ts';
import { loadSettings } from '../../src/config/load.ts';
import { overridesOf, shownOverrides, type SetOption } from '../../src/config/overrides.ts';
import { schema, type SettingName } from '../../src/config/schema.ts';
import { valueOf } from '../../src/config/setting-values.ts';
import { shownSettings } from '../../src/config/shown-settings.ts';
import { atConsole } from '../console/at-console.ts';
import { diskFiles } from '../support/run/disk-files.ts';
import { runProgram } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';

/** For each setting something other than its default. */
const OTHER: Readonly<Partial<Record<string, string>>> = {
  workers: '2',
  roles: '{readers: [alice, bob]}',
  proxy_networks: '10.1.0.0/16',
  admin_users: 'alice, bob',
  stats_users: 'bob',
  ssl_ca_file: 'ca.crt',
  'upstream.host': '::1',
  'reload.sessions': 'terminate',
  'admin.listen': '127.0.0.1:1',
  log_level: 'debug',
};

function names(): SettingName[] {
  return Object.keys(schema).filter((name): name is SettingName => name in schema);
}

function variable(name: string): string {
  return `PG_GATEHOUSE__${name.toUpperCase().replaceAll('.', '__')}`;
}

await test('every setting is read from the environment and from --set as from the file', async (t) => {
  const file = join(temporaryDirectory(t), 'gatehouse.yaml');
  const load = (text: string, env: Record<string, string> = {}, set: readonly SetOption[] = []) => {
    writeFileSync(file, text);
    return loadSettings(file, diskFiles, overridesOf(env, set));
  };
  const defaults = load('');
  for (const name of names()) {
    // Some are refused alone: the three of the admin listener's TLS go together, and auth_query needs auth_user. They are
    // read as every other path and text.
    if (name.startsWith('admin.ssl_') || name === 'auth_query') continue;
    const { type, written } = schema[name];
    const value =
      OTHER[name] ??
      (type === 'boolean'
        ? written === 'on'
          ? 'off'
          : 'on'
        : /^(?:integer|duration)/.test(type)
          ? '7'
          : 'other');
    const [top, leaf] = name.split('.');
    const other = /\S: |^['{]/.test(value) || !/[:,]/.test(value) ? value : `'${value}'`;
    const yaml = leaf === undefined ? `${top}: ${other}` : `${top}:\n  ${leaf}: ${other}`;
    if (type.includes('`') && !(name in OTHER) && !type.startsWith('integer')) continue;
    const wanted = valueOf(load(yaml), name);
    t.notSame(wanted, valueOf(defaults, name), `${name} has another value than its default`);
    const byEnvironment = load('', { [variable(name)]: value });
    t.strictSame(valueOf(byEnvironment, name), wanted, variable(name));
    t.strictSame(byEnvironment.placeOf(name), {
      source: 'environment variable',
      file: `environment variable ${variable(name)}`,
      line: null,
    });
    const byOption = load('', {}, [{ name, value }]);
    t.strictSame(valueOf(byOption, name), wanted, `--set ${name}`);
    t.equal(byOption.placeOf(name).source, 'command line');
    const { setting, unit } = shownSettings(byOption).find((each) => each.name === name)!;
    if (setting === null) continue;
    const asShown = load('', {}, [{ name, value: `${setting}${unit ?? ''}` }]);
    t.strictSame(valueOf(asShown, name), wanted, `${name} is shown as it may be written: ${setting}`);
  }

  const over = load('port: 1\n', { PG_GATEHOUSE__PORT: '2' }, [
    { name: 'port', value: '3' },
    { name: 'port', value: '4' },
  ]);
  t.equal(over.port, 4, 'the last --set goes over everything');
  t.equal(load('port: 1\n', { PG_GATEHOUSE__PORT: '2' }).port, 2);
  const empty = load('port: 1\n', { PG_GATEHOUSE__PORT: '', PG_GATEHOUSE_PORT: 'tcp://10.0.0.1:6432' });
  t.equal(empty.port, 1, 'an empty variable is none, and one of Kubernetes is none of ours');
  t.equal(load('ssl_crl_file: a\n', {}, [{ name: 'ssl_crl_file', value: '' }]).ssl_crl_file, '');
  t.equal(
    load('', { PG_GATEHOUSE__HBA_FILE: 'rules/a.conf' }).hba_file,
    join(file, '../rules/a.conf'),
    "a relative path is relative to the configuration file's folder",
  );
  t.equal(load('', { PG_GATEHOUSE__SSL_ECDH_CURVE: 'X448' }).ssl_groups, 'X448', 'an older name');
});

await test('a value is shown as it is written', (t) => {
  const file = join(temporaryDirectory(t), 'gatehouse.yaml');
  for (const [name, value] of [
    ['proxy_networks', '10.0.0.7, 10.1.0.0/16, ::1.2.0.0/112, fd00::1'],
    ['listen_addresses', '127.0.0.1, ::1'],
    ['admin_users', 'alice, grün'],
    ['roles', '{readers: [alice, "a, b", "null"], "read: only": []}'],
  ] as const) {
    writeFileSync(file, `${name}: ${name === 'roles' ? value : `'${value}'`}\n`);
    const shown = shownSettings(loadSettings(file, diskFiles)).find((each) => each.name === name);
    t.equal(shown?.setting, value);
  }
  t.end();
});

await test('what is wrong with one of them names it', (t) => {
  const file = join(temporaryDirectory(t), 'gatehouse.yaml');
  writeFileSync(file, 'max_connections: -1\nupstream:\n  host: 127.0.0.1\n');
  const problems = (env: Record<string, string>, set: readonly SetOption[] = []): string[] => {
    try {
      loadSettings(file, diskFiles, overridesOf(env, set));
      return [];
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      return error.problems.map(({ file: at, line, message, hint }) =>
        [at === file ? `yaml:${line}` : at, message, ...(hint === undefined ? [] : [hint])].join(' | '),
      );
    }
  };
  const inFile = 'yaml:1 | -1 is outside the valid range for parameter "max_connections" (0 .. 262143)';
  t.strictSame(
    problems({ PG_GATEHOUSE__MAX_CONNECTIONS: '5' }),
    [inFile],
    'a wrong value in the file is told',
  );
  t.strictSame(
    problems({ PG_GATEHOUSE__PROT: '5', PG_GATEHOUSE__PORT: 'x', PG_GATEHOUSE__ROLES: '{a: 1' }, [
      { name: 'upstream.prot', value: '1' },
      { name: 'upstream.host', value: '192.0.2.1' },
    ]),
    [
      'environment variable PG_GATEHOUSE__PROT | unrecognized configuration parameter "PG_GATEHOUSE__PROT" | Perhaps you meant "PG_GATEHOUSE__PORT".',
      '--set upstream.prot | unrecognized configuration parameter "upstream.prot" | Perhaps you meant "upstream.port".',
      'environment variable PG_GATEHOUSE__PORT | invalid value for parameter "port": "x"',
      'environment variable PG_GATEHOUSE__ROLES | Flow map must end with a }',
      '--set upstream.host | upstream.host "192.0.2.1" is neither a loopback address nor the directory of a Unix socket | The link to the upstream is not encrypted. Set upstream.allow_remote to on where the network between is trusted.',
      inFile,
    ],
  );
  t.match(
    problems({ PG_GATEHOUSE__SSL_GROUPS: 'X448', PG_GATEHOUSE__SSL_ECDH_CURVE: 'X448' })[0],
    /set twice, first by environment variable/,
  );
  t.end();
});

await test('the hash of config_info has every value but a command that may hold a passphrase', (t) => {
  t.strictSame(shownWith('echo one'), ['port = 1', 'ssl_passphrase_command']);
  t.strictSame(shownWith('echo two'), shownWith('echo one'));
  t.end();
});

function shownWith(passphraseCommand: string): string[] {
  const options = [{ name: 'ssl_passphrase_command', value: passphraseCommand }];
  return shownOverrides(overridesOf({ PG_GATEHOUSE__PORT: '1' }, options));
}

await test('the file is found where the contract says, and without one the beginning is shown', async (t) => {
  const directory = temporaryDirectory(t);
  const check = async (args: readonly string[], env: Record<string, string> = {}) =>
    await runProgram(['check', ...args], { cwd: directory, env });
  for (const command of [[], ['serve'], ['check'], ['--set', 'port=1']]) {
    const none = await runProgram(command, { cwd: directory, env: { PG_GATEHOUSE_CONFIG: '' } });
    t.equal(none.code, 2, `${command.join(' ')}: no configuration`);
    t.match(none.stderr, /^pg-gatehouse: no configuration: /);
    for (const begin of ['demo', 'migrate', 'check'])
      t.match(none.stderr, new RegExp(`^ {2}pg-gatehouse ${begin} `, 'm'));
    t.match(none.stderr, 'Mutual TLS, pg_hba.conf and pg_ident.conf in front of');
  }
  mkdirSync(join(directory, 'named'));
  for (const [name, port] of [
    ['gatehouse.yaml', 'here'],
    ['named/env.yaml', 'by variable'],
    ['named/flag.yaml', 'by flag'],
  ])
    writeFileSync(join(directory, name ?? ''), `port: ${port}\n`);
  const env = { PG_GATEHOUSE_CONFIG: 'named/env.yaml' };
  t.match(
    (await check([])).stdout,
    `${directory}/gatehouse.yaml:1: invalid value for parameter "port": "here"`,
  );
  t.match(
    (await check([], env)).stdout,
    `named/env.yaml:1: invalid value for parameter "port": "by variable"`,
  );
  const flag = await check(['--config', 'named/flag.yaml', '--set', 'workers=none'], env);
  t.match(flag.stdout, `named/flag.yaml:1: invalid value for parameter "port": "by flag"`);
  t.match(flag.stdout, /^--set workers: invalid value for parameter "workers": "none"$/m);
  const wrong = await check(['--set', 'port']);
  t.strictSame([wrong.code, /NAME=VALUE/.test(wrong.stderr)], [2, true], wrong.stderr);
});

await test(
  'a reload keeps them, workers have them, and the console says where each came from',
  needs('psql'),
  async (t) => {
    const { gate, ask } = await atConsole(t, {
      upstream: null,
      config: { workers: 2, console_database: 'of the file', idle_session_timeout: '1min' },
      env: { PG_GATEHOUSE__CONSOLE_DATABASE: 'gatehouse', PG_GATEHOUSE__LOG_LEVEL: 'debug' },
    });
    const sources = `select name, setting, source from settings where name in ('console_database', 'idle_session_timeout', 'log_level', 'ssl') order by 1`;
    const wanted = [
      'console_database|gatehouse|environment variable',
      'idle_session_timeout|60000|configuration file',
      'log_level|debug|environment variable',
      'ssl|on|default',
    ];
    const shown = async (): Promise<string[]> => {
      const rows = (await ask('alice', '\\pset tuples_only on', '\\pset format unaligned', sources)).split(
        '\n',
      );
      return rows.filter((row) => row.includes('|'));
    };
    t.strictSame(await shown(), wanted);
    gate.rewrite('gatehouse.yaml', `# edited\n${readFileSync(gate.path('gatehouse.yaml'), 'utf8')}`);
    t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
    t.strictSame(await shown(), wanted, 'after a reload too');
  },
);
