// ssl_crl_file and ssl_crl_dir: every list of a file, the files of a directory, what they say, and what is not a list.

import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { SourceReader } from '../../src/base/sources.ts';
import { LoadError } from '../../src/base/problems.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { readRevocationList } from '../../src/x509/crl.ts';
import { nameHash } from '../../src/x509/name-hash.ts';
import { readPem } from '../../src/x509/pem.ts';
import { loadLists } from '../support/certificates/tls.ts';

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

const hashOf = (list: string) => {
  const [block] = [...readPem(Buffer.from(list))];
  return nameHash(readRevocationList(block!.der).issuerDer);
};

function folder(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(directory, name);
  mkdirSync(path);
  for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
  return path;
}

void t.test('a PEM file with two lists and text around them', async (test) => {
  const file = write('two.pem', `issued by hand\n${rootList}\n# and\n${lowerList}`);
  const reader = new SourceReader();
  const { crls, pems, warnings } = await loadLists({ ssl_crl_file: file }, { reader });
  test.match(crls, [
    { file, issuer: '/O=Org/CN=root', issuerDn: 'CN=root,O=Org', lastUpdate, nextUpdate },
    { file, issuer: '/CN=lower', issuerDn: 'CN=lower', lastUpdate, nextUpdate: null },
  ]);
  test.strictSame(
    crls.map(({ revokedSerials }) => revokedSerials.size),
    [3, 0],
  );
  for (const serial of ['a', '0A', 'ff', `4${'0'.repeat(31)}`]) {
    test.equal(crls[0]?.revokedSerials.has(serial), true, serial);
    test.equal(crls[1]?.revokedSerials.has(serial), false, serial);
  }
  for (const serial of ['0', 'b', '-a', 'a00', '-1', 'ffff', `4${'0'.repeat(33)}`]) {
    test.equal(crls[0]?.revokedSerials.has(serial), false, serial);
  }
  test.strictSame(pems, [rootList, lowerList], 'one text a list');
  test.strictSame([...reader.sources.keys()], [file]);
  test.strictSame(warnings, []);
});

void t.test('serial numbers of every kind are found', async (test) => {
  const serials = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x100n, 0x8000n, -1n, -0x80n, -0x81n, 2n ** 559n + 5n];
  const many = Array.from({ length: 3000 }, (_, index) => 2n ** 64n + BigInt(index) * 7n);
  const list = root.crl({
    lastUpdate,
    nextUpdate,
    revoked: [...serials, ...many].map((serial) => ({ serial, date: lastUpdate })),
  });
  const { crls } = await loadLists({ ssl_crl_file: write('serials.pem', list) });
  const revokedSerials = crls[0]!.revokedSerials;
  test.equal(revokedSerials.size, serials.length + many.length);
  for (const serial of [...serials, ...many]) {
    if (!revokedSerials.has(serial.toString(16))) test.fail(`${serial} is not found`);
    const other = serial + 3n;
    if (!serials.includes(other) && revokedSerials.has(other.toString(16))) test.fail(`${other} is found`);
  }
});

void t.test('a file with DER in it is refused, as PostgreSQL refuses it', async (test) => {
  const der = Buffer.from(rootList.split('\n').slice(1, -2).join(''), 'base64');
  test.match(
    await messageOf(loadLists({ ssl_crl_file: write('root.crl', der) })),
    'no certificate or crl found',
  );
});

void t.test('certificates in ssl_crl_file are not used, and named', async (test) => {
  const file = write('mixed.pem', `${rootList}${lower.certificate}${lowerList}`);
  const { crls, warnings } = await loadLists({ ssl_crl_file: file });
  test.equal(crls.length, 2);
  test.match(warnings, [
    { file, line: rootList.split('\n').length, message: /^this certificate is not used/ },
  ]);
});

void t.test('a directory: names of the right hash only, links followed, in order', async (test) => {
  const [of, ofLower] = [hashOf(rootList), hashOf(lowerList)];
  const lists = folder('lists', {
    'lower.pem': lowerList,
    [`${of}.r0`]: rootList,
    [`${of}.r1`]: rootList,
    [`${of}.0`]: 'a certificate, not a list',
    [`${of.toUpperCase()}.r2`]: 'a name that OpenSSL never looks for',
    [`${of}.r02`]: 'another',
  });
  symlinkSync('lower.pem', join(lists, `${ofLower}.r0`));
  const reader = new SourceReader();
  const { crls, warnings } = await loadLists({ ssl_crl_dir: lists }, { reader });
  const expected = [`${of}.r0`, `${of}.r1`, `${ofLower}.r0`].toSorted().map((file) => join(lists, file));
  test.strictSame(
    crls.map((crl) => crl.file),
    expected,
  );
  test.strictSame([...reader.sources.keys()], [lists, ...expected]);
  test.strictSame(warnings, []);
});

void t.test(
  'what OpenSSL does not find in a directory is left out and named, and nothing else waits',
  async (test) => {
    const of = hashOf(rootList);
    const wrong: Readonly<Record<string, (path: string) => void>> = {
      '0a1b2c3d.r0': (path) => symlinkSync('nowhere', path),
      '0a1b2c3e.r0': (path) => writeFileSync(path, ''),
      '0a1b2c3f.r0': (path) => writeFileSync(path, '<html>404</html>'),
      '0a1b2c41.r0': (path) => writeFileSync(path, lowerList),
      '0a1b2c42.r1': (path) => writeFileSync(path, lowerList),
      [`${of}.r1`]: (path) => writeFileSync(path, lowerList.slice(0, 100)),
      [`${of}.r2`]: (path) => writeFileSync(path, rootList),
    };
    const lists = folder('wrong', { [`${of}.r0`]: rootList });
    for (const [name, make] of Object.entries(wrong)) make(join(lists, name));
    const { crls, warnings } = await loadLists({ ssl_crl_dir: lists });
    test.strictSame(
      crls.map(({ file }) => file),
      [join(lists, `${of}.r0`)],
    );
    const reasons = {
      '0a1b2c3d.r0': 'could not read this revocation list: No such file or directory',
      '0a1b2c3e.r0': 'could not read this revocation list: no start line',
      '0a1b2c3f.r0': 'could not read this revocation list: no start line',
      '0a1b2c41.r0': 'this file holds a list of an issuer whose name has another hash',
      '0a1b2c42.r1': `this revocation list is not used, because "${join(lists, '0a1b2c42.r0')}" is not there`,
      [`${of}.r1`]: 'could not read this revocation list: bad end line',
      [`${of}.r2`]: `this revocation list is not used, because "${join(lists, `${of}.r1`)}" cannot be read`,
    };
    test.strictSame(
      Object.fromEntries(warnings.map(({ file, message }) => [file, message])),
      Object.fromEntries(Object.entries(reasons).map(([name, message]) => [join(lists, name), message])),
    );
  },
);

void t.test('a directory without a hashed name is warned of', async (test) => {
  const lists = folder('unhashed', { 'root.pem': rootList });
  test.match((await loadLists({ ssl_crl_dir: lists })).warnings, [{ file: lists, hint: /openssl rehash/ }]);
});

void t.test('what cannot be read is refused with the reason', async (test) => {
  const file = (name: string, words: string) =>
    `could not load SSL certificate revocation list file "${join(directory, name)}": ${words}`;
  const table: readonly (readonly [name: string, content: string | Uint8Array, words: string])[] = [
    ['empty', '', 'no certificate or crl found'],
    ['text', 'no list', 'no certificate or crl found'],
    ['cut', `${lowerList}${rootList.slice(0, 200)}`, 'bad end line'],
    ['glued', `${lowerList.trimEnd()}${rootList}`, 'bad end line'],
    ['certificate.der', new X509Certificate(root.certificate).raw, 'no certificate or crl found'],
  ];
  for (const [name, content, words] of table) {
    test.equal(await messageOf(loadLists({ ssl_crl_file: write(name, content) })), file(name, words), name);
  }
  test.equal(
    await messageOf(loadLists({ ssl_crl_file: join(directory, 'none') })),
    file('none', 'No such file or directory'),
  );
  test.equal(
    await messageOf(loadLists({ ssl_crl_dir: join(directory, 'none') })),
    `could not load SSL certificate revocation list directory "${join(directory, 'none')}": No such file or directory`,
  );
});
