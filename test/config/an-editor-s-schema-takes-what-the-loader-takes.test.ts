// config/gatehouse.schema.json (contract §17) against real files and against the loader: an editor marks no value that the
// gate takes, and marks what is plainly wrong.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { Ajv } from 'ajv';
import { parse, parseAllDocuments } from 'yaml';
import { LoadError } from '../../src/base/problems.ts';
import { loadSettings } from '../../src/config/load.ts';
import { schema } from '../../src/config/schema.ts';
import { diskFiles } from '../support/run/disk-files.ts';
import { isPlainObject } from '../support/run/gate-files.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const editorSchema: unknown = JSON.parse(readFileSync(`${root}config/gatehouse.schema.json`, 'utf8'));
if (!isPlainObject(editorSchema)) throw new Error('the schema is an object');
const ajv = new Ajv({
  allErrors: true,
  strict: true,
  allowUnionTypes: true,
  keywords: ['deprecationMessage'],
});
const validate = ajv.compile(editorSchema);

function errors(text: string): string[] {
  if (validate(parse(text))) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

function read(path: string): string {
  return readFileSync(root + path, 'utf8');
}

/** The text of gatehouse.yaml in a ConfigMap. */
function inManifest(text: string): string {
  for (const document of parseAllDocuments(text)) {
    const value: unknown = document.toJS();
    const data = isPlainObject(value) ? value['data'] : null;
    const found = isPlainObject(data) ? data['gatehouse.yaml'] : null;
    if (typeof found === 'string') return found;
  }
  throw new Error('no ConfigMap has a gatehouse.yaml');
}

await test('the files that are shipped are taken, and each setting is described', (t) => {
  t.equal(
    read('config/gatehouse.yaml').split('\n')[0],
    '# yaml-language-server: $schema=gatehouse.schema.json',
  );
  t.strictSame(errors(read('config/gatehouse.yaml')), []);
  t.strictSame(errors(read('config/docker/gatehouse.yaml')), []);
  t.strictSame(errors(inManifest(read('config/kubernetes/postgres.yaml'))), []);
  t.strictSame(errors(''), [], 'an empty file');
  const sample: unknown = parse(read('config/gatehouse.yaml'));
  for (const name of Object.keys(schema)) {
    const [top = '', leaf] = name.split('.');
    const path = leaf === undefined ? ['properties', top] : ['properties', top, 'properties', leaf];
    const entry = path.reduce<unknown>((at, key) => (isPlainObject(at) ? at[key] : null), editorSchema);
    t.ok(isPlainObject(entry) && typeof entry['description'] === 'string', `${name} is described`);
    const value = [top, leaf].reduce<unknown>(
      (at, key) => (isPlainObject(at) && key !== undefined ? at[key] : at),
      sample,
    );
    t.strictSame(
      isPlainObject(entry) ? entry['default'] : undefined,
      value,
      `${name}: the default is the sample's`,
    );
  }
  t.end();
});

/** Values that the gate takes, and those that both refuse. */
const texts: Readonly<Record<string, readonly [taken: readonly string[], refused: readonly string[]]>> = {
  ssl: [
    ['on', 'off', 'of', 'OFF', 'True', 't', 'fa', 'yes', 'y', 'N', '1', '0', 'true', "'no'"],
    ['o', 'onn', 'ja', '2', '[on]', ''],
  ],
  port: [
    ['0', '65535', '0x1932', "' 6432'", '6.432e3', '"+6432"', '65535.4', '6432.'],
    ['65536', '-1', 'http', '6432s', '{}'],
  ],
  workers: [
    ['auto', '4'],
    ['all', '0'],
  ],
  authentication_timeout: [
    ['60', '60s', '1min', "'1 min'", '60000ms', '600', '0.1h'],
    ['601', '0', '1 minute', '5m'],
  ],
  shutdown_timeout: [
    ['0', '0.5s', '30', '1d', '500ms'],
    ['-1', 'never'],
  ],
  log_connections: [
    [
      'on',
      'no',
      '1',
      "''",
      'ALL',
      'receipt, authorization',
      '[receipt, setup_durations]',
      '\'"receipt" ,all\'',
      '[]',
    ],
    ['receive', 'receipt authorization', 'receipt,', '[none]', '{}'],
  ],
  ssl_renegotiation_limit: [
    ['0', "'0'"],
    ['1', 'off'],
  ],
  log_level: [
    ['info', 'WARN', 'Silent'],
    ['loud', 'warning'],
  ],
  ssl_min_protocol_version: [
    ['TLSv1.2', 'tlsv1.3'],
    ['TLSv1x2', 'SSLv3', "''"],
  ],
  ssl_max_protocol_version: [["''", 'TLSv1.3'], ['1.3']],
  listen_addresses: [["'*'", 'localhost, ::1', '[127.0.0.1, ::1]'], ['{a: b}']],
  proxy_networks: [["''", '10.0.0.0/8', '[10.1.0.0/16, 192.0.2.7]'], ['{}']],
  admin_users: [['alice', '[alice, 7]', "''"], ['{alice: bob}']],
  roles: [
    ['{}', '{readers: [alice, bob], none: []}', '{empty: }', ''],
    ['[alice]', '{readers: alice}', 'readers'],
  ],
  console_database: [
    ['gatehouse', '7', 'on'],
    ['[a]', '{a: b}'],
  ],
  hba_file: [['a/b.conf', '5'], ['[a]']],
  ssl_ecdh_curve: [['X25519'], ['[X25519]']],
};

await test('each value is judged as the loader judges it', (t) => {
  const file = join(temporaryDirectory(t), 'gatehouse.yaml');
  const loads = (text: string): boolean => {
    writeFileSync(file, text);
    try {
      loadSettings(file, diskFiles);
      return true;
    } catch (error) {
      if (error instanceof LoadError) return false;
      throw error;
    }
  };
  for (const [name, [taken, refused]] of Object.entries(texts)) {
    for (const value of taken) {
      const text = `${name}: ${value}\n`;
      t.ok(loads(text), `the loader takes ${text}`);
      t.strictSame(errors(text), [], `the editor takes ${text}`);
    }
    for (const value of refused) {
      const text = `${name}: ${value}\n`;
      t.notOk(loads(text), `the loader refuses ${text}`);
      t.not(errors(text).length, 0, `the editor marks ${text}`);
    }
  }
  t.not(errors('prot: 6432\n').length, 0, 'an unknown name');
  t.not(errors('upstream:\n  hots: a\n').length, 0, 'an unknown name in a group');
  t.not(errors('upstream.host: a\n').length, 0, 'a group written with a dot');
  t.strictSame(errors('upstream:\n'), [], 'an empty group');
  t.end();
});
