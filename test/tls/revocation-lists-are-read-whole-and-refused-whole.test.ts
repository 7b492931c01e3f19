// ssl_crl_file and ssl_crl_dir: every list of a file, the files of a directory, what they say, and what is no list.

import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { LoadError } from '../../src/errors.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { readCrlDirectory, readCrlFile } from '../../src/tls/crl.ts';

const directory = mkdtempSync(join(tmpdir(), 'gatehouse-crl-'));
t.teardown(() => rmSync(directory, { recursive: true }));

const root = createAuthority({
  subject: [
    { type: 'O', value: 'Org' },
    { type: 'CN', value: 'root' },
  ],
});
const lower = root.intermediate({ subject: 'lower' });
const lastUpdate = new Date('2026-01-01T00:00:00Z');
const nextUpdate = new Date('2060-01-01T00:00:00Z');
const revoked = [0x0an, 0x00ffn, 2n ** 126n].map((serial) => ({ serial, date: lastUpdate }));
const rootList = root.crl({ lastUpdate, nextUpdate, revoked });
const lowerList = lower.crl({ lastUpdate, nextUpdate: null });

function write(name: string, content: string | Uint8Array): string {
  const file = join(directory, name);
  writeFileSync(file, content);
  return file;
}

async function messageOf(load: Promise<unknown>): Promise<string> {
  const error: unknown = await load.then(
    () => null,
    (reason: unknown) => reason,
  );
  return error instanceof LoadError
    ? error.problems.map((problem) => problem.message).join('; ')
    : String(error);
}

void t.test('a PEM file with two lists and text around them', async (test) => {
  const file = write('two.pem', `issued by hand\n${rootList}\n# and\n${lower.certificate}${lowerList}`);
  const { crls, pems, files } = await readCrlFile(file);
  test.strictSame(crls, [
    {
      file,
      issuer: '/O=Org/CN=root',
      issuerDn: 'CN=root,O=Org',
      lastUpdate,
      nextUpdate,
      revokedSerials: new Set(['a', 'ff', `4${'0'.repeat(31)}`]),
    },
    {
      file,
      issuer: '/CN=lower',
      issuerDn: 'CN=lower',
      lastUpdate,
      nextUpdate: null,
      revokedSerials: new Set(),
    },
  ]);
  test.strictSame(pems, [rootList, lowerList], 'one text a list');
  test.strictSame(files, [file]);
});

void t.test('a DER file', async (test) => {
  const der = Buffer.from(rootList.split('\n').slice(1, -2).join(''), 'base64');
  const { crls, pems } = await readCrlFile(write('root.crl', der));
  test.equal(crls[0]?.issuerDn, 'CN=root,O=Org');
  test.strictSame(pems, [rootList]);
});

void t.test('a directory: hashed names only, links followed, in order', async (test) => {
  const lists = join(directory, 'lists');
  mkdirSync(lists);
  writeFileSync(join(lists, 'lower.pem'), lowerList);
  symlinkSync('lower.pem', join(lists, '0a1b2c3d.r0'));
  writeFileSync(join(lists, '0a1b2c3d.r10'), rootList);
  writeFileSync(join(lists, '0a1b2c3d.0'), 'a certificate, not a list');
  writeFileSync(join(lists, '0A1B2C3D.r0'), 'a name that OpenSSL never looks for');
  const { crls, pems, files } = await readCrlDirectory(lists);
  test.strictSame(
    crls.map((crl) => crl.issuerDn),
    ['CN=lower', 'CN=root,O=Org'],
  );
  test.equal(pems.length, 2);
  test.strictSame(files, [lists, join(lists, '0a1b2c3d.r0'), join(lists, '0a1b2c3d.r10')]);
});

void t.test('what cannot be read is refused with the reason', async (test) => {
  const file = (name: string, words: string) =>
    `could not load SSL certificate revocation list file "${join(directory, name)}": ${words}`;
  const table: readonly (readonly [name: string, content: string | Uint8Array, words: string])[] = [
    ['empty', '', 'no certificate or crl found'],
    ['text', 'no list', 'no certificate or crl found'],
    ['certificate', root.certificate, 'no certificate or crl found'],
    ['cut', `${lowerList}${rootList.slice(0, 200)}`, 'bad end line'],
    ['certificate.der', new X509Certificate(root.certificate).raw, 'no certificate or crl found'],
  ];
  for (const [name, content, words] of table) {
    test.equal(await messageOf(readCrlFile(write(name, content))), file(name, words), name);
  }
  test.equal(
    await messageOf(readCrlFile(join(directory, 'none'))),
    file('none', 'No such file or directory'),
  );
  test.equal(
    await messageOf(readCrlDirectory(join(directory, 'none'))),
    `could not load SSL certificate revocation list directory "${join(directory, 'none')}": No such file or directory`,
  );
});

void t.test('one bad list of a directory refuses the directory', async (test) => {
  const lists = join(directory, 'bad');
  mkdirSync(lists);
  writeFileSync(join(lists, '0a1b2c3d.r0'), rootList);
  writeFileSync(join(lists, '0a1b2c3d.r1'), 'no list');
  test.match(await messageOf(readCrlDirectory(lists)), `directory "${lists}": no certificate or crl found`);
});
