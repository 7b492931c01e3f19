// One table has the words for the system's errors, those of C's strerror, which PostgreSQL prints. A port that is taken
// reads the same for clients, for the admin listener, and in PostgreSQL's log.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { systemErrors } from '../../src/base/system-error.ts';
import { startGate } from '../support/run/gate.ts';
import { runProgram } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { needs } from '../support/run/tools.ts';

await test('the words are those of the C library', needs('python3'), async (t) => {
  const names = Object.keys(systemErrors);
  const program = 'import errno, os, sys\nfor name in sys.argv[1:]: print(os.strerror(getattr(errno, name)))';
  const said = execFileSync('python3', ['-c', program, ...names], { encoding: 'utf8' })
    .trim()
    .split('\n');
  t.strictSame(
    names.map((name) => systemErrors[name]),
    said,
  );
});

await test('a port that is taken', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const hba = 'host all all all trust\n';
  const running = await startGate(t, { hba, upstream });
  const adminPort = new URL(running.adminUrl).port;
  await t.rejects(
    startGate(t, { hba, upstream, config: { port: running.port } }),
    /could not bind IPv4 address \\?"127\.0\.0\.1\\?": Address already in use/,
  );
  await t.rejects(
    startGate(t, { hba, upstream, config: { port: running.port } }),
    new RegExp(`HINT: Is another gate or program already running on port ${running.port}\\? If not, wait`),
    'the port, and what may have it',
  );
  await t.rejects(
    startGate(t, { hba, upstream, config: { admin: { listen: `127.0.0.1:${adminPort}` } } }),
    /could not bind the admin listener to \\?"127\.0\.0\.1:\d+\\?": Address already in use/,
  );
});

await test('a gate that is not there', async (t) => {
  const { code, stderr } = await runProgram(['sessions', '--admin', 'http://127.0.0.1:1']);
  t.equal(code, 1);
  t.match(stderr, /Connection refused/);
});

await test('a name to listen on that nobody knows', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  await t.rejects(
    startGate(t, {
      hba: 'host all all all trust\n',
      upstream,
      config: { listen_addresses: 'nowhere.invalid' },
    }),
    /could not translate host name \\?"nowhere\.invalid\\?" to address: (?:Name or service not known|Temporary failure in name resolution)/,
  );
});

await test('a file that is named on the command line and cannot be read', async (t) => {
  const directory = temporaryDirectory(t);
  const missing = join(directory, 'missing');
  const file = join(directory, 'file');
  writeFileSync(file, 'host all all all trust\n');
  const out = join(directory, 'out');
  const table: readonly (readonly [args: readonly string[], stderr: string])[] = [
    [
      ['migrate', '--hba', missing, '--out', out],
      `${missing}: could not open file "${missing}": No such file or directory`,
    ],
    [
      ['migrate', '--hba', directory, '--out', out],
      `${directory}: could not open file "${directory}": Is a directory`,
    ],
    [
      ['migrate', '--hba', file, '--ident', missing, '--out', out],
      `${missing}: could not open file "${missing}": No such file or directory`,
    ],
    [
      ['migrate', '--conf', missing, '--out', out],
      `${missing}: could not open configuration file "${missing}": No such file or directory`,
    ],
    [
      ['migrate', '--conf', directory, '--out', out],
      `${directory}: could not open configuration file "${directory}": Is a directory`,
    ],
    [['migrate', '--hba', file, '--out', file], `could not open directory "${file}": Not a directory`],
    [explainWith(directory, missing), `could not open file "${missing}": No such file or directory`],
  ];
  for (const [args, stderr] of table) {
    t.match(
      await runProgram(args),
      { code: 1, stdout: '', stderr: `pg-gatehouse: ${stderr}\n` },
      args.join(' '),
    );
  }
});

function explainWith(directory: string, cert: string): string[] {
  const config = join(directory, 'gatehouse.yaml');
  writeFileSync(config, 'ssl: off\nhba_file: file\n');
  const who = ['--user', 'u', '--database', 'd', '--address', '10.0.0.1'];
  return ['explain', '--config', config, ...who, '--cert', cert];
}
