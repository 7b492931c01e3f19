// `sessions` (contract §17): as many columns as the terminal is wide, all of them with --wide and for a program, again and
// again with --watch; and every admin command finds the listener by the configuration.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { createAdminServer } from '../../src/admin/server.ts';
import { adminSettings, exampleGate, exampleSession, startAdmin } from '../admin/example-gate.ts';
import { fittedTable } from '../../src/commands/table.ts';
import { programCommand, runProgram, runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs, toolPath } from '../support/run/tools.ts';

const rows = [
  exampleSession(),
  exampleSession({ id: '1-18', user: 'an-account-with-a-name-of-forty-characters', state: 'active' }),
];

await test('no line is wider than the terminal, and the most telling columns stay', async (t) => {
  const url = await startAdmin(t, exampleGate(rows).view);
  const titles = async (columns: number, ...args: readonly string[]): Promise<readonly string[]> => {
    const { code, stdout } = await runProgram(['sessions', '--admin', url, ...args], {
      env: { COLUMNS: String(columns) },
    });
    t.equal(code, 0);
    const lines = stdout.split('\n');
    if (args.length === 0) for (const line of lines) t.ok(line.length <= columns, `${columns}: ${line}`);
    t.equal(lines.at(-2), '(2 sessions)');
    return (lines[0] ?? '').split(/ {2,}/);
  };
  const narrow = await titles(40);
  t.strictSame(narrow, ['ID', 'USER', 'STATE']);
  const usual = await titles(110);
  for (const title of ['ID', 'USER', 'DATABASE', 'CLIENT', 'AGE', 'STATE'])
    t.ok(usual.includes(title), title);
  t.notOk(usual.includes('BYTES IN'));
  t.equal((await titles(300)).length, 13, 'all of them where there is room');
  t.equal((await titles(40, '--wide')).length, 13);
});

await test('wide and combining characters and hostile widths are counted as a terminal shows them', (t) => {
  const columns = [
    { title: 'A', read: (row: object) => String(Reflect.get(row, 'a')) },
    { title: 'B', rank: 1, read: () => 'b' },
  ];
  t.strictSame(fittedTable([{ a: '日本' }, { a: 'e\u0301' }], columns, 8), [
    'A     B',
    '日本  b',
    'e\u0301     b',
  ]);
  t.strictSame(fittedTable([{ a: '日本日本日本' }], columns, 8), ['A', '日本日…']);
  t.strictSame(fittedTable([{ a: 'x'.repeat(50) }], columns, 1), ['A', 'xxxxx…'], 'never to nothing');
  t.strictSame(fittedTable([], columns, 3), ['A']);
  t.end();
});

/** Runs a program in a terminal of 60 columns and 12 rows; sends Ctrl-C once it has shown two pictures. */
const TERMINAL = String.raw`
import fcntl, os, pty, select, signal, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 12, 60, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b''
while seen.count(b'\x1b[H') < 2:
    if not select.select([fd], [], [], 20)[0]: sys.exit('no picture: %r' % seen)
    seen += os.read(fd, 65536)
os.kill(pid, signal.SIGINT)
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(seen.replace(b'\r\n', b'\n'))
sys.exit(os.waitstatus_to_exitcode(status))
`;

await test(
  '--watch shows one picture after another, as much as there is room for',
  needs('python3'),
  async (t) => {
    const many = Array.from({ length: 30 }, (_, index) => exampleSession({ id: `1-${index}` }));
    const url = await startAdmin(t, exampleGate(many).view);
    const command = [...programCommand(), 'sessions', '--admin', url, '--watch', '0.2'];
    const env = { TERM: 'xterm' };
    const { code, stdout, stderr } = await runToEnd(toolPath('python3'), ['-c', TERMINAL, ...command], {
      env,
    });
    t.strictSame([code, stderr], [0, '']);
    const pictures = stdout.split('\u001B[H\u001B[2J').slice(1);
    const lines = (pictures[0] ?? '').split('\n').filter((line) => line !== '');
    t.ok(lines.length <= 11, `${lines.length} lines on 12 rows`);
    for (const line of lines) t.ok(line.length <= 60, line);
    t.match(lines.at(-1), /^… \(30 sessions\), the first \d+ of them$/);
  },
);

await test('the listener is found by the configuration', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'gatehouse.yaml');
  const url = await startAdmin(t, exampleGate(rows).view);
  const socket = join(directory, 'admin.sock');
  const unix = await createAdminServer(exampleGate(rows).view, adminSettings(socket));
  t.teardown(() => unix.close());
  const place = new URL(url).host;
  const sessions = async (args: readonly string[], env: Record<string, string> = {}) =>
    await runProgram(args, { cwd: directory, env });

  // What is wrong elsewhere in the file is not a reason not to ask.
  writeFileSync(file, `prot: 1\nadmin:\n  listen: ${place}\n`);
  for (const command of ['sessions', 'reload', 'refusals'])
    t.equal((await sessions([command, '--config', file])).code, 0, command);
  t.equal((await sessions(['terminate', '1-17', '--config', file])).code, 0);
  t.equal((await sessions(['sessions'])).code, 0, './gatehouse.yaml');
  writeFileSync(file, 'admin:\n  listen: 127.0.0.1:1\n');
  t.equal((await sessions(['sessions'], { PG_GATEHOUSE__ADMIN__LISTEN: socket })).code, 0, 'the environment');
  t.equal((await sessions(['sessions', '--config', file, '--admin', url])).code, 0, '--admin goes before it');

  // Nobody listens there. A port that was free a moment ago may be somebody else's by now.
  const port = 1;
  const says = async (listen: string, wanted: string): Promise<void> => {
    writeFileSync(file, `admin:\n  listen: '${listen}'\n`);
    const { code, stderr } = await sessions(['sessions', '--config', file]);
    t.strictSame([code, stderr], [1, `pg-gatehouse: ${wanted}\n`]);
  };
  const at = `(admin.listen of ${file})`;
  await says(
    `127.0.0.1:${port}`,
    `could not reach the gate at http://127.0.0.1:${port} ${at}: Connection refused`,
  );
  await says('', `the gate has no admin listener: admin.listen of ${file} is empty`);
  await says(
    '127.0.0.1:0',
    `admin.listen of ${file} takes any free port: give --admin, with the port that the log names`,
  );
  const missing = await sessions(['sessions', '--config', join(directory, 'none.yaml')]);
  t.strictSame(
    [missing.code, /could not open configuration file/.test(missing.stderr)],
    [1, true],
    missing.stderr,
  );
});
