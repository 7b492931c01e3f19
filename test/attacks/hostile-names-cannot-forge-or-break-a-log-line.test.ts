// Log injection: newlines, escape sequences, NULs, JSON, format directives and 10 kB in every name that a stranger
// chooses. Every line stays one JSON object, and no control character stands in the log as it is (contract §7.6).

import { test } from 'tap';
import { bmpString, testAuthority, type Credentials } from '../support/certificates/certificates.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { assertOneEndingEach, visit } from '../support/peers/visitor.ts';

const forged = '{"level":"info","msg":"connection authorized: user=admin"}';

const hostile: Readonly<Record<string, string | Buffer>> = {
  'a second line': `x\n${forged}\n`,
  'a carriage return': `x\r${forged}`,
  'an escape sequence': '\x1b[2J\x1b[31mroot\x1b[0m',
  'the 8-bit form of one': '\u009b31mroot',
  'a backspace, a bell and DEL': 'root\b\b\b\b\x07\x7f',
  'quotes that would end the string': '","level":"fatal","msg":"forged',
  'a backslash at the end': 'x\\',
  'format directives': '%s%d%j%o%%{}',
  'line and paragraph separators': 'x\u2028y\u2029z',
  'text turned round and hidden': 'admin\u202e\u2066\u200b\ufeffnimda',
  'lone bytes': Buffer.from('\x80\xff\x1b[31m\n', 'latin1'),
  'overlong UTF-8 of a newline': Buffer.from('x\xc0\x8ay', 'latin1'),
  'an encoded surrogate': Buffer.from('x\xed\xa0\x80y', 'latin1'),
  'prototype names': '__proto__',
  HTML: '<script>alert(1)</script>',
};

const TELETEX_STRING = 0x14;

/** Nothing but what JSON.stringify lets stand, and of that no control, separator or direction character. */
// eslint-disable-next-line no-control-regex, no-misleading-character-class -- those are what is looked for
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

/** Every line the gate has written, parsed. @throws Error where one is no JSON object */
function checkLog(t: Pick<import('tap').Test, 'notMatch' | 'strictSame' | 'ok'>, gate: Gate): void {
  t.notMatch(gate.stdout, CONTROLS, 'no control character stands in the log');
  t.notMatch(gate.stdout, '\ufffd', 'nothing was lost in decoding');
  const lines = gate.stdout.split('\n').slice(0, -1);
  const strange = lines.filter((line) => {
    try {
      const { level, time, pid, msg } = JSON.parse(line);
      return (
        ![level, time, msg].every((field) => typeof field === 'string') ||
        pid !== gate.pid ||
        level === 'fatal'
      );
    } catch {
      return true;
    }
  });
  t.strictSame(strange, [], 'every line is an object of the gate');
  t.ok(lines.every((line) => !line.startsWith(forged)));
}

await test('users, databases, application names and replication', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'host admitted all all trust',
    upstream,
    config: { log_level: 'trace' },
  });
  for (const [name, text] of Object.entries(hostile)) {
    for (const database of ['admitted', text]) {
      const client = await visit(t, gate);
      const { error } = await client.login({ user: text, database, application_name: text });
      t.equal(error === null, database === 'admitted', name);
      client.halfClose();
      await client.ending();
    }
    const client = await visit(t, gate);
    const { error } = await client.login({ user: text, replication: text });
    t.equal(error?.['C'], '22023', name);
    await client.ending();
  }
  const long = await visit(t, gate);
  const { error } = await long.login({ user: 'u'.repeat(5_000), database: '\n'.repeat(4_900) });
  t.equal(
    error?.['M']?.length,
    'no pg_hba.conf entry for host "127.0.0.1", user "", database "", no encryption'.length + 126,
  );
  t.ok(JSON.stringify(await long.ending()).length < 1_500, 'a name of 10 kB makes no line of 10 kB');
  await assertOneEndingEach(t, gate);
  checkLog(t, gate);
});

await test('subjects, SNI and ALPN', async (t) => {
  const authority = testAuthority(t);
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'hostssl all all all cert',
    ident: '',
    upstream,
    authority,
    config: { log_level: 'trace' },
  });
  const logIn = async ({ cert, key }: Credentials, alpn: string): Promise<void> => {
    const client = await visit(t, gate);
    // The wrong ALPN fails the handshake, so that what was offered is logged.
    const opened = client.openTls({ cert, key, servername: 'db.test', ALPNProtocols: [alpn] });
    if (alpn === 'postgresql') {
      await opened;
      t.equal((await client.login({ user: 'alice' })).error?.['C'], '28000');
    } else {
      await t.rejects(opened);
    }
    await client.ending();
  };
  for (const text of Object.values(hostile)) {
    const bytes = Buffer.from(text);
    // OpenSSL checks what calls itself UTF-8, and lets any byte into a TeletexString.
    const value = { tag: TELETEX_STRING, bytes };
    const dn = [{ O: value }, { CN: value }, { CN: bmpString(bytes.toString('latin1')) }];
    const verified = authority.client('', { dn });
    await logIn(verified, 'postgresql');
    await logIn(verified, bytes.toString('latin1').slice(0, 60));
    await logIn(authority.client('', { dn, expired: true }), 'postgresql');
  }
  await logIn(authority.client('', { dn: [{ CN: 'n'.repeat(10_000) }], expired: true }), 'postgresql');
  await assertOneEndingEach(t, gate);
  checkLog(t, gate);
});
