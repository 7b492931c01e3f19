import t from 'tap';
import { createLogger } from '../../src/telemetry/log.ts';

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

// A line that another process could interrupt is cut: its long texts say how long they were.
const long = logged(() => logger.info({ identity: 'é'.repeat(3000), port: 1 }, 'm'.repeat(2000)));
t.match(long, { level: 'info', port: 1, identity: /^é{1024}… \(3000 characters\)$/ });
t.match(long, { msg: /^m{1024}… \(2000 characters\)$/ });
t.ok(Buffer.byteLength(lines[0]!) <= 4096);
logged(() => logger.info('\u009b'.repeat(5000)));
t.ok(Buffer.byteLength(lines[0]!) <= 4096);
t.notMatch(lines[0], /\u009b/, 'and is escaped as any other');

// What hides text or turns its direction round, wherever Unicode has it: ALM, a soft hyphen, an isolate, a tag.
const hidden = 'a\u061cb\u00adc\u2067d\u{e0041}e';
t.match(
  logged(() => logger.info({ user: hidden }, 'hidden')),
  { user: hidden },
);
t.match(lines[0], String.raw`"a\u061cb\u00adc\u2067d\udb40\udc41e"`, 'as JSON escapes it');
