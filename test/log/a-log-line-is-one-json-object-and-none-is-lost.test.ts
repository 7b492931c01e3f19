import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createLogger } from '../../src/log.ts';

const lines: string[] = [];
const logger = createLogger('info', { write: (line: string) => void lines.push(line) });

/** The one line that `write` caused. */
function logged(write: () => void): unknown {
  lines.length = 0;
  write();
  t.equal(lines.length, 1);
  t.match(lines[0], /^\{[^\n]*\}\n$/);
  return JSON.parse(lines[0] ?? '');
}

const line = logged(() => logger.info({ code: 'hba-reject', port: 1 }, 'a\nmessage'));
t.match(line, { level: 'info', pid: process.pid, code: 'hba-reject', port: 1, msg: 'a\nmessage' });
t.match(line, { time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ });
t.strictSame(Object.keys(Object(line)), ['level', 'time', 'pid', 'code', 'port', 'msg']);

lines.length = 0;
logger.debug('not yet');
t.same(lines, []);
logger.level = 'debug';
t.match(
  logged(() => logger.debug('now')),
  { level: 'debug', msg: 'now' },
);

// A library's error may carry anything; only these of its properties are written.
const cause = Object.assign(new Error('inner'), { code: 'ECONNRESET', passphrase: 'secret' });
const error = Object.assign(new TypeError('outer', { cause }), { key: 'secret' });
const described = logged(() => logger.error({ err: error }, 'failed'));
t.match(described, {
  err: { type: 'TypeError', message: 'outer', stack: /outer/, cause: { code: 'ECONNRESET' } },
});
t.notMatch(JSON.stringify(described), /secret/);
const circular = new Error('round');
circular.cause = circular;
t.match(
  logged(() => logger.error({ err: circular }, 'failed')),
  { err: { message: 'round' } },
);
t.match(
  logged(() => logger.error({ err: 'no error' }, 'failed')),
  { err: { message: 'no error' } },
);

// A process that is killed the moment after it has logged has lost nothing, however many lines there were.
const log = fileURLToPath(new URL('../../src/log.ts', import.meta.url));
const program = `
  import { createLogger } from ${JSON.stringify(log)};
  const logger = createLogger('info');
  for (let i = 0; i < 20_000; i += 1) logger.info({ i }, 'line');
  process.kill(process.pid, 'SIGKILL');`;
const run = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
  timeout: 60_000,
});
t.equal(run.signal, 'SIGKILL', run.stderr);
const written = run.stdout.split('\n');
t.equal(written.pop(), '', 'the last line is complete');
t.equal(written.length, 20_000);
t.match(JSON.parse(written.at(-1) ?? ''), { i: 19_999 });
