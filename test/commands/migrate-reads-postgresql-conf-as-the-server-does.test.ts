// Values of postgresql.conf mean in gatehouse.yaml what `postgres -C NAME` prints.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { readSettings } from '../../src/config/load.ts';
import { migrate } from '../support/run/migrate.ts';

const HBA = { 'pg_hba.conf': 'host all all all md5\n' };

await test('escapes in quotes', async (t) => {
  const { code, read, check } = await migrate(t, {
    ...HBA,
    'postgresql.conf': [
      String.raw`ssl_passphrase_command = 'a\tb\041\\n\'''"\n\303\266x\000junk'`,
      String.raw`ssl_ciphers = '\110I''GH'`,
      String.raw`ssl_tls13_ciphers'TLS_AES_128_GCM_SHA25\66'`,
    ].join('\n'),
  });
  t.equal(code, 0);
  const { settings } = readSettings('/gatehouse.yaml', {
    readFile: () => Buffer.from(read('gatehouse.yaml').join('\n')).toString('latin1'),
    listFiles: () => [],
    resolve: (_, relative) => relative,
  });
  t.equal(settings.ssl_passphrase_command, "a\tb!\\n''\"\nöx");
  t.equal(settings.ssl_ciphers, "HI'GH");
  t.equal(settings.ssl_tls13_ciphers, 'TLS_AES_128_GCM_SHA256');
  t.equal((await check()).code, 0);
});

await test('a port in whatever form the server takes it', async (t) => {
  for (const written of ['012470', '0x1538', "'5432 '", '5432.4', "'\\065432'"]) {
    const { code, read } = await migrate(t, { ...HBA, 'postgresql.conf': `port = ${written}\n` });
    t.equal(code, 0, written);
    t.equal(read('gatehouse.yaml')[0], 'port: 5432', written);
  }
});

await test('a port with which the server does not start is said in its words, and nothing is written', async (t) => {
  const table: [written: string, message: string][] = [
    ['abc', 'invalid value for parameter "port": "abc"'],
    ["''", 'invalid value for parameter "port": ""'],
    ['5432kB', 'invalid value for parameter "port": "5432kB"'],
    ['0', '0 is outside the valid range for parameter "port" (1 .. 65535)'],
    ['65536', '65536 is outside the valid range for parameter "port" (1 .. 65535)'],
  ];
  for (const [written, message] of table) {
    const files = { ...HBA, 'postgresql.conf': `ssl = on\nport = ${written}\n` };
    const { code, stderr, out, run } = await migrate(t, files);
    t.equal(code, 1, written);
    t.equal(stderr, `pg-gatehouse: ${join(out, '..', 'postgresql.conf')}:2: ${message}\n`);
    await run('--force');
    t.notOk(existsSync(out));
  }
});

await test("an extension's setting is none of the gate's", async (t) => {
  const { read } = await migrate(t, { ...HBA, 'postgresql.conf': "upstream.port = '7777'\n" });
  t.notOk(read('gatehouse.yaml').some((line) => line.includes('7777')));
});
