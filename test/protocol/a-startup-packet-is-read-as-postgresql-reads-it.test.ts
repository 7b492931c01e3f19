// decodeStartupMessage against ProcessStartupPacket's rules: repeated names, cut names, replication, faulty layouts.

import { test } from 'tap';
import { GatehouseError } from '../../src/base/errors.ts';
import { decodeStartupMessage, encodeStartupMessage } from '../../src/protocol/startup-message.ts';

const V3 = 3 << 16;

/** `text` with `|` for NUL. */
function decode(text: string, code = V3) {
  const negotiated: unknown[] = [];
  const request = decodeStartupMessage(
    code,
    Buffer.from(text.replaceAll('|', '\0'), 'latin1'),
    (minor, options) => negotiated.push(minor, options),
  );
  return { request, negotiated };
}

await test('what is accepted', (t) => {
  const cut = 'n'.repeat(63);
  const table: [text: string, user: string, database: string, replication: string][] = [
    ['user|bob||', 'bob', 'bob', 'none'],
    ['user|bob|database|||', 'bob', 'bob', 'none'],
    ['user|a|user|bob|database|x|database|app||', 'bob', 'app', 'none'],
    ['user|bob|replication|true||', 'bob', '', 'physical'],
    ['user|bob|database|app|replication|YE||', 'bob', '', 'physical'],
    ['user|bob|replication|on||', 'bob', '', 'physical'],
    ['user|bob|replication|1||', 'bob', '', 'physical'],
    ['user|bob|replication|database||', 'bob', 'bob', 'database'],
    ['user|bob|replication|of||', 'bob', 'bob', 'none'],
    ['user|bob|replication|F||', 'bob', 'bob', 'none'],
    ['user|bob|replication|n||', 'bob', 'bob', 'none'],
    ['user|bob|replication|0||', 'bob', 'bob', 'none'],
    ['user|bob|replication|true|replication|off||', 'bob', 'bob', 'none'],
    [`user|${cut}x||`, cut, cut, 'none'],
    [`user|bob|database|${cut}yy||`, 'bob', cut, 'none'],
    ['user|b\xe9|User|x||', 'b\xe9', 'b\xe9', 'none'],
  ];
  for (const [text, user, database, replication] of table) {
    const { request } = decode(text);
    t.match(request, { user, database, replication }, text);
  }
  t.end();
});

await test('what is refused, and with which words', (t) => {
  const layout = 'invalid startup packet layout: expected terminator as last byte';
  const noUser = 'no PostgreSQL user name specified in startup packet';
  const table: [text: string, code: string, message: string][] = [
    ['', 'invalid-startup-packet-layout', layout],
    ['user|bob|', 'invalid-startup-packet-layout', layout],
    ['user|bob', 'invalid-startup-packet-layout', layout],
    ['user|', 'invalid-startup-packet-layout', layout],
    ['user', 'invalid-startup-packet-layout', layout],
    ['user|bob|||', 'invalid-startup-packet-layout', layout],
    ['user|bob||x', 'invalid-startup-packet-layout', layout],
    ['|', 'no-user-name', noUser],
    ['user|||', 'no-user-name', noUser],
    ['database|x||', 'no-user-name', noUser],
    [
      'user|bob|replication|o||',
      'invalid-replication-value',
      'invalid value for parameter "replication": "o"',
    ],
    ['user|bob|replication|||', 'invalid-replication-value', 'invalid value for parameter "replication": ""'],
    [
      'user|bob|replication|Database||',
      'invalid-replication-value',
      'invalid value for parameter "replication": "Database"',
    ],
    // The value is judged as it is met, before the layout.
    ['replication|x|user|bob', 'invalid-replication-value', 'invalid value for parameter "replication": "x"'],
  ];
  for (const [text, code, message] of table) {
    try {
      decode(text);
      t.fail(`accepted: ${text}`);
    } catch (error) {
      t.ok(error instanceof GatehouseError);
      t.match(error, { code, reply: message }, JSON.stringify(text));
    }
  }
  t.end();
});

await test('protocol options are told apart and never passed on', (t) => {
  const { request, negotiated } = decode('user|bob|_pq_.a|1|_pq_.b|2|options|-c x=1||', V3 + 2);
  t.same(negotiated, [2, ['_pq_.a', '_pq_.b']]);
  const sent = encodeStartupMessage(request);
  t.equal(sent.readInt32BE(0), sent.length);
  t.equal(sent.readInt32BE(4), V3, 'the upstream is spoken to in 3.0');
  t.equal(sent.subarray(8).toString('latin1'), 'user\0bob\0options\0-c x=1\0database\0bob\0\0');
  t.end();
});

await test('repeated parameters reach the upstream once, with their last value; user and database are cut', (t) => {
  const long = 'n'.repeat(70);
  const { request } = decode(`user|a|client_encoding|x|user|${long}|client_encoding|UTF8||`);
  t.equal(
    encodeStartupMessage(request).subarray(8).toString('latin1'),
    `user\0${long.slice(0, 63)}\0client_encoding\0UTF8\0database\0${long.slice(0, 63)}\0\0`,
  );
  t.end();
});

await test('NegotiateProtocolVersion is due even where the user is missing', (t) => {
  const asked: unknown[] = [];
  t.throws(() => decodeStartupMessage(V3 + 1, Buffer.from('\0'), (minor) => asked.push(minor)), {
    code: 'no-user-name',
  });
  t.same(asked, [1]);
  t.end();
});
