// Every value of the table is given to a real PostgreSQL 18 as well, and both must read it alike.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseBoolean, parseInteger } from '../../src/config/units.ts';

const postgres = fileURLToPath(
  new URL('../../node_modules/postgres-18/native/bin/postgres', import.meta.url),
);
// Of this run alone: tap's own directory has the same name in every run of a file.
const directory = mkdtempSync(join(tmpdir(), 'gate-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));
writeFileSync(`${directory}/postgresql.conf`, '');
writeFileSync(`${directory}/postgresql.auto.conf`, '');
// postgres refuses to run as root.
const uid = process.getuid?.() === 0 ? 65534 : undefined;
if (uid !== undefined)
  for (const name of ['', '/postgresql.conf', '/postgresql.auto.conf']) chownSync(directory + name, uid, uid);
chmodSync(directory, 0o700);

/** What PostgreSQL says a setting is after `-c name=value`: its value, or its error with the hint. */
function ask(name: string, value: string): string {
  const run = spawnSync(postgres, ['-D', directory, '-c', `${name}=${value}`, '-C', name], {
    encoding: 'utf8',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  if (run.status === 0) return run.stdout.trimEnd();
  const hint = /HINT: {2}(.*)$/m.exec(run.stderr)?.[1];
  if (/FATAL: {2}.* is outside the valid range for /.test(run.stderr)) return 'out of range';
  if (!/FATAL: {2}(invalid value|parameter ".*" requires a Boolean)/.test(run.stderr))
    throw new Error(run.stderr);
  return hint ?? 'invalid';
}

function readNumber(value: string, unit: 'ms' | 's' | null, minimum: number, maximum: number): string {
  const parsed = parseInteger(value, unit);
  if (!parsed.ok) return parsed.hint ?? 'invalid';
  return parsed.value < minimum || parsed.value > maximum ? 'out of range' : String(parsed.value);
}

const INT_MAX = 2_147_483_647;
const numbers = [
  '60',
  '60s',
  '1min',
  '1 min',
  ' 1min ',
  '\t2\ts\t',
  '500ms',
  '1500ms',
  '2500ms',
  '3500ms',
  '0.5',
  '1.5',
  '2.5',
  '1.s',
  '.5min',
  '1.7min',
  '0.1min',
  '0.00005min',
  '1e2',
  '1E2s',
  '1.5e1',
  '1e',
  '1e+',
  '2e0s',
  '0x10',
  '0X1F',
  '0x1e',
  '0x1.8',
  '0x1.8p2',
  '0x.8',
  '0x',
  '0x s',
  '0640',
  '08',
  '010s',
  '00',
  '0',
  '-0',
  '-0.4',
  '-1',
  '+5',
  '+-5',
  '- 5',
  '',
  ' ',
  's',
  'min',
  '1MIN',
  '1S',
  '1Ms',
  '5x',
  '5mins',
  '5sec',
  '5 s x',
  '5s5',
  '700',
  '1h',
  '1d',
  '0.5h',
  '3000000us',
  '600000ms',
  '600001ms',
  '600501ms',
  'nan',
  'inf',
  'e5',
  '.',
  '1e400',
  '1e-400',
  '1e-310',
  '0e-400',
  '99999999999',
  '9999999999999999999999',
  '99999999999s',
  '9223372036854775807us',
  '9223372036854775808us',
  '-99999999999',
  '2147483647',
  '2147483648',
  '2147483647.4',
  '2147483647.5',
  '1_0',
  '1,000',
  '0b11',
  '0o17',
  '١',
  '5 s',
  '1e1min',
];

const booleans = [
  'on',
  'off',
  'true',
  'false',
  'yes',
  'no',
  '1',
  '0',
  'o',
  'of',
  'offs',
  'ON',
  'oFF',
  't',
  'tr',
  'tru',
  'trues',
  'f',
  'fals',
  'y',
  'ye',
  'n',
  'No',
  '2',
  '01',
  '',
  ' on',
  'on ',
  'enable',
  'null',
];

for (const value of numbers) {
  const shown = JSON.stringify(value);
  t.equal(readNumber(value, 's', 1, 600), ask('authentication_timeout', value), `${shown} in seconds`);
  t.equal(
    readNumber(value, 'ms', 0, INT_MAX),
    ask('idle_session_timeout', value),
    `${shown} in milliseconds`,
  );
  t.equal(readNumber(value, null, 1, 65535), ask('port', value), `${shown} without a unit`);
}
for (const value of booleans) {
  const read = parseBoolean(value);
  const ours = read === null ? 'invalid' : read ? 'on' : 'off';
  t.equal(ours, ask('ssl_prefer_server_ciphers', value), `${JSON.stringify(value)} as a boolean`);
}
