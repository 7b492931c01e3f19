// log_format: text in columns at a terminal, coloured unless NO_COLOR is set, JSON elsewhere, and under journald the
// priority before each line (contract §17). No name of a stranger begins a line of its own or steers the terminal.

import { join } from 'node:path';
import { test, type Test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { logForm } from '../../src/telemetry/log-form.ts';
import { cleanEnvironment, programCommand } from '../support/run/program.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { atEnd } from '../support/run/scope.ts';
import { supervise } from '../support/run/supervise.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs, toolPath } from '../support/run/tools.ts';
import { Arrivals } from '../support/run/waiting.ts';
import { createInterface } from 'node:readline';

const FILE = { isTerminal: false, isJournal: false, colour: false };
const TERMINAL = { isTerminal: true, isJournal: false, colour: true };
const JOURNAL = { isTerminal: false, isJournal: true, colour: false };

const LINE = {
  level: 'warn',
  time: '2026-11-28T06:41:00.123Z',
  pid: 17,
  code: 'hba-no-entry',
  id: '17-abc-1',
  user: 'a b',
  certificate: { subject: 'CN=bob', serial: '12' },
  alpn: ['a', 'b'],
  addresses: [{ port: 1 }],
  detail: 'one\ntwo',
  hint: 'Add a line.',
  msg: 'no pg_hba.conf entry for host "10.0.0.1"',
};

function json(changes: object = {}): string {
  return `${JSON.stringify({ ...LINE, ...changes })}\n`;
}

await test('the forms', async (t) => {
  const text = logForm('text', FILE)(json());
  t.equal(
    text,
    [
      '2026-11-28 06:41:00.123  WARN   no pg_hba.conf entry for host "10.0.0.1"  code=hba-no-entry id=17-abc-1 user="a b" certificate.subject="CN=bob" certificate.serial=12 alpn=a,b addresses.0.port=1',
      '                                DETAIL:  one',
      '                                         two',
      '                                HINT:  Add a line.',
      '',
    ].join('\n'),
  );
  t.equal(logForm('auto', { ...TERMINAL, colour: false })(json()), text, 'text at a terminal');
  t.equal(logForm('auto', FILE)(json()), json(), 'JSON elsewhere');
  t.equal(logForm('json', TERMINAL)(json()), json());
  t.equal(logForm('auto', JOURNAL)(json()), `<4>${json()}`);
  t.equal(logForm('auto', JOURNAL)(json({ level: 'error' })).slice(0, 3), '<3>');
  t.equal(logForm('auto', JOURNAL)(json({ level: 'debug' })).slice(0, 3), '<7>');
  t.equal(logForm('json', JOURNAL)(json()), json());
  t.ok(
    logForm(
      'text',
      JOURNAL,
    )(json())
      .split('\n')
      .slice(0, -1)
      .every((line) => line.startsWith('<4>')),
  );

  // oxlint-disable-next-line no-control-regex -- colours are control sequences
  const colours = /\u001b\[\d+m/g;
  const coloured = logForm('auto', TERMINAL)(json());
  t.match(coloured, colours);
  t.equal(coloured.replace(colours, ''), text, 'colours change nothing else');

  const hostile = '\u001b[2J\r\n2026-11-28 06:41:00.123  INFO   forged\u009b31m\u202e';
  const names = { msg: hostile, user: hostile, detail: hostile, hint: hostile, code: hostile };
  const lines = logForm('auto', TERMINAL)(json(names)).replace(colours, '').split('\n');
  // oxlint-disable-next-line no-control-regex -- those are what must not be there
  t.ok(lines.every((line) => !/[\u0000-\u001f\u007f-\u009f\u202e]/.test(line)));
  t.ok(
    lines.slice(1, -1).every((line) => line.startsWith(' ')),
    'each line below belongs to the first',
  );
  t.match(
    logForm('text', FILE)(json({ err: { message: 'm', stack: 'Error: m\n    at x' } })),
    / CAUSE: {2}Error: m\n +at x/,
  );
});

/** Runs python, which connects the gate's stdout with something that a shell cannot. */
async function serveUnder(
  t: Test,
  python: string,
  { env = {}, config = {} }: { env?: Readonly<Record<string, string>>; config?: object } = {},
): Promise<{ readonly lines: Arrivals<string>; readonly stop: () => Promise<unknown> }> {
  const directory = temporaryDirectory(t);
  writeGateFiles(directory, testAuthority(t), {
    hba: 'host all all 10.0.0.0/8 reject\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { admin: { listen: '' }, ...config },
  });
  const program = [...programCommand(), 'serve', '--config', join(directory, 'gatehouse.yaml')];
  const child = await supervise({
    command: toolPath('python3'),
    args: ['-c', python, ...program],
    env: cleanEnvironment(env),
    stopSignal: 'SIGINT',
  });
  atEnd(t, () => child.stop());
  const lines = new Arrivals<string>();
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  child.stderr.resume();
  const port = /port (\d+)/.exec(
    await lines.next(
      (line) => line.includes('listening on IPv4 address'),
      () => 'the gate to listen',
    ),
  )?.[1];
  await lines.next(
    (line) => line.includes('ready to accept connections'),
    () => 'the gate to be ready',
  );
  const client = await connectRaw(t, Number(port));
  await client.login({ user: 'alice' });
  await lines.next(
    (line) => line.includes('no pg_hba.conf entry for host'),
    () => 'the refusal',
  );
  return { lines, stop: async () => await child.stop() };
}

const AT_TERMINAL = `
import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGINT, lambda *_: os.kill(pid, signal.SIGINT))
while True:
    try: data = os.read(terminal, 65536)
    except OSError: break
    if not data: break
    os.write(1, data)
os.waitpid(pid, 0)
`;

const AT_JOURNAL = `
import os, signal, socket, sys
journal, stdout = socket.socketpair()
stat = os.fstat(stdout.fileno())
pid = os.fork()
if pid == 0:
    os.environ['JOURNAL_STREAM'] = f'{stat.st_dev}:{stat.st_ino}'
    os.dup2(stdout.fileno(), 1)
    os.execv(sys.argv[1], sys.argv[1:])
stdout.close()
signal.signal(signal.SIGINT, lambda *_: os.kill(pid, signal.SIGINT))
while True:
    data = journal.recv(65536)
    if not data: break
    os.write(1, data)
os.waitpid(pid, 0)
`;

await test('at a terminal', needs('python3'), async (t) => {
  for (const workers of [1, 2]) {
    const { lines } = await serveUnder(t, AT_TERMINAL, { env: { TERM: 'xterm' }, config: { workers } });
    // oxlint-disable-next-line no-control-regex -- colours are control sequences
    const colour = /^\u001b\[2m\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\u001b\[0m {2}/;
    t.ok(lines.items.length > 3);
    t.strictSame(
      lines.items.filter((line) => !colour.test(line)),
      [],
      'each line is coloured text',
    );
  }
  const { lines } = await serveUnder(t, AT_TERMINAL, { env: { TERM: 'xterm', NO_COLOR: '1' } });
  t.notOk(
    lines.items.some((line) => line.includes('\u001b')),
    'NO_COLOR',
  );
  const plain = await serveUnder(t, AT_TERMINAL, { config: { log_format: 'json' } });
  t.ok(
    plain.lines.items.every((line) => typeof JSON.parse(line) === 'object'),
    'log_format: json',
  );
});

await test('under journald', needs('python3'), async (t) => {
  for (const workers of [1, 2]) {
    const { lines } = await serveUnder(t, AT_JOURNAL, { config: { workers } });
    t.ok(
      lines.items.every((line) => /^<[3-7]>\{"level":"\w+",.*\}$/.test(line)),
      'priority and JSON',
    );
    t.match(
      lines.items.find((line) => line.includes('hba-no-entry')),
      /^<6>|^<4>/,
    );
  }
});
