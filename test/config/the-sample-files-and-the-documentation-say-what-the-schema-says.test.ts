import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { loadSettings } from '../../src/config/load.ts';
import { schema } from '../../src/config/schema.ts';
import { loadHba } from '../../src/rules/hba.ts';
import { loadIdent } from '../../src/rules/ident.ts';
import { diskFiles } from '../support/run/disk-files.ts';
import { made } from '../../tools/configuration-docs.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

for (const [path, make] of Object.entries(made)) {
  t.equal(
    readFileSync(root + path, 'utf8'),
    make(),
    `${path} is what node tools/configuration-docs.ts writes`,
  );
}

// Neither file is a page: a link in it leads nowhere. What is said of a restart is said of the setting alone.
for (const path of ['config/gatehouse.yaml', 'config/gatehouse.schema.json']) {
  const text = readFileSync(root + path, 'utf8').replaceAll(/\n *# /g, ' ');
  t.notMatch(text, /\]\([\w/]+\.md/, `${path} has no link`);
  t.match(text, 'docs/operations.md (Who is it?) has the function', path);
  t.match(
    text,
    'What the file holds is read again at a reload. A change of the setting needs a restart.',
    path,
  );
}

// The sample: every key, and nothing but defaults.
// Of this run alone: tap's own directory has the same name in every run of a file.
const directory = mkdtempSync(join(tmpdir(), 'gate-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));
const file = join(directory, 'gatehouse.yaml');
copyFileSync(join(root, 'config/gatehouse.yaml'), file);
const { placeOf, ...sample } = loadSettings(file, diskFiles);
for (const name of Object.keys(schema)) t.type(placeOf(name).line, 'number', `the sample names ${name}`);
writeFileSync(file, '');
const { placeOf: placeOfNothing, ...defaults } = loadSettings(file, diskFiles);
t.equal(placeOfNothing('port').source, 'default');
t.strictSame(sample, defaults, "the sample's values are the defaults");

// The documentation names every setting with its default, once.
const docs = readFileSync(join(root, 'docs/configuration.md'), 'utf8');
const documented = [...docs.matchAll(/^### (\S+)\n\n.* · default `(.*)` · (reload|_restart_)$/gm)];
t.strictSame(
  documented.map(([, name, written, how]) => [name, written, how]),
  Object.entries(schema).map(([name, setting]) => [
    name,
    setting.written,
    setting.restart ? '_restart_' : 'reload',
  ]),
);
t.strictSame(
  Object.entries(schema)
    .flatMap(([name, { restart }]) => (restart ? [name] : []))
    .toSorted(),
  [
    'admin.listen',
    'admin.ssl_ca_file',
    'admin.ssl_cert_file',
    'admin.ssl_key_file',
    'admin.status_listen',
    'hosts_file',
    'listen_addresses',
    'port',
    'workers',
  ],
  'the settings that contract §2 fixes until a restart',
);

// The contract's list of settings (§2) is the schema's, each with its default.
const contract = readFileSync(join(root, 'docs/contract.md'), 'utf8');
writeFileSync(file, /^```yaml\n([^]*?)^```$/m.exec(contract)?.[1] ?? '');
const { placeOf: placeInContract, ...contracted } = loadSettings(file, diskFiles);
for (const name of Object.keys(schema))
  t.type(placeInContract(name).line, 'number', `contract §2 names ${name}`);
t.strictSame(contracted, defaults, "the contract's values are the defaults");

// The sample rules refuse everybody; the sample maps are empty; neither warns.
const fs = diskFiles;
const rules = loadHba(join(root, 'config/pg_hba.conf'), fs, { ssl: true, roles: new Map() });
t.strictSame(rules.warnings, []);
t.strictSame(
  rules.records.map(({ type, method }) => `${type} ${method}`),
  ['host reject', 'host reject'],
);
const maps = loadIdent(join(root, 'config/pg_ident.conf'), fs);
t.strictSame([maps.records, maps.warnings], [[], []]);

// The examples in their comments load as well once they are not comments.
mkdirSync(join(directory, 'opened'));
for (const name of ['pg_hba.conf', 'pg_ident.conf']) {
  const opened = readFileSync(join(root, 'config', name), 'utf8').replaceAll(/^# {3}(?=\S)/gm, '');
  writeFileSync(join(directory, 'opened', name), opened);
}
t.equal(
  loadHba(join(directory, 'opened/pg_hba.conf'), fs, { ssl: true, roles: new Map() }).records.length,
  7,
);
t.equal(loadIdent(join(directory, 'opened/pg_ident.conf'), fs).records.length, 4);
