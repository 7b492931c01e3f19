// Files of CAs, of lists, of a server's chain and of its key, made in several hundred ways that go wrong in practice, read by us and
// by the OpenSSL that PostgreSQL is linked with: the same blocks are loaded, and the same files are refused in the same
// words.

import { createHash, createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { test } from 'tap';
import { createAuthority } from '../../src/pki/authority.ts';
import { readClientAuthorities } from '../../src/tls/material/client-authorities.ts';
import { encodePem, PemError, readablePem } from '../../src/x509/pem.ts';
import { readChain, readStore } from '../../src/tls/material/pem-files.ts';
import { opensslOracle, type OracleAnswer } from '../support/oracles/openssl-oracle.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';

const first = createAuthority({ subject: 'first' });
const second = createAuthority({ subject: 'second' });
const A = first.certificate;
const B = second.certificate;
const L = first.crl();
const M = second.crl();
const KEY = first.issue({ subject: 'server', purposes: ['serverAuth'] }).key;

const NUL = '\0';
const BOM = '\xef\xbb\xbf';

/** What may stand before, between and after blocks. */
const junk: Readonly<Record<string, string>> = {
  nothing: '',
  newline: '\n',
  text: 'Subject: CN=a\n  more text\n',
  'text without a newline': 'Subject: CN=a ',
  blank: ' ',
  tab: '\t',
  'form feed': '\f',
  'form feed on a line': '\f\n',
  NUL,
  'NUL on a line': `${NUL}\n`,
  'NUL in a line': `a${NUL}b\n`,
  BOM,
  'BOM on a line': `${BOM}\n`,
  'UTF-16 BOM': '\xff\xfe',
  CR: '\r',
  CRLF: '\r\n',
  'no-break space': '\xc2\xa0',
  hyphens: '-----\n',
  'END alone': '-----END CERTIFICATE-----\n',
  'BEGIN alone': '-----BEGIN CERTIFICATE-----\n',
  'empty block': '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
  'empty foreign block': '-----BEGIN STUFF-----\n-----END STUFF-----\n',
  'a foreign block': '-----BEGIN STUFF-----\nAAAA\n-----END STUFF-----\n',
  'a foreign block that is broken': '-----BEGIN STUFF-----\nAA!A\n-----END STUFF-----\n',
  'a nameless block': '-----BEGIN -----\nAAAA\n-----END -----\n',
  parameters: '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n',
  key: KEY,
  'broken key': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
  'broken RSA key': '-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n',
  'encrypted RSA key':
    '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END RSA PRIVATE KEY-----\n',
  'a list': L,
  'a certificate that is no DER': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  'a list that is no DER': '-----BEGIN X509 CRL-----\nMAMCAQE=\n-----END X509 CRL-----\n',
  'long line': `${'x'.repeat(600)}\n`,
  'line of 254': 'x'.repeat(254),
  'line of 253': `${'x'.repeat(253)}\n`,
};

/** What may be done to one block. */
const changes: Readonly<Record<string, (block: string) => string>> = {
  none: (block) => block,
  'no newline at its end': (block) => block.trimEnd(),
  CRLF: (block) => block.replaceAll('\n', '\r\n'),
  'CR alone': (block) => block.replaceAll('\n', '\r'),
  'blanks at line ends': (block) => block.replaceAll('\n', ' \t\n'),
  'blanks at line starts': (block) => block.replaceAll('\n', '\n '),
  'high bytes after BEGIN': (block) => block.replace('\n', '\xe9\n'),
  'form feeds at line ends': (block) => block.replaceAll('\n', '\f\n'),
  'form feed within': (block) => block.replace(/\n(..)/, '\n$1\f'),
  'NUL within': (block) => block.replace(/\n(..)/, `\n$1${NUL}`),
  'NUL at a line end': (block) => block.replace(/\n(.*)\n/, `\n$1${NUL}junk\n`),
  'blank line after BEGIN': (block) => block.replace('\n', '\n\n'),
  'blank line in the middle': (block) => block.replace(/\n(.*)\n/, '\n$1\n\n'),
  'blank line before END': (block) => block.replace('-----END', '\n-----END'),
  'two blank lines': (block) => block.replace('\n', '\n\n\n'),
  'one line': (block) => joined(block, (data) => data),
  'lines of 76': (block) => joined(block, (data) => data.replaceAll(/.{76}/g, '$&\n')),
  'lines of 253': (block) => joined(block, (data) => data.replaceAll(/.{253}/g, '$&\n')),
  'lines of 254': (block) => joined(block, (data) => data.replaceAll(/.{254}/g, '$&\n')),
  'lines of 3': (block) => joined(block, (data) => data.replaceAll(/.{3}/g, '$&\n')),
  'blanks within': (block) => joined(block, (data) => data.replaceAll(/.{40}/g, '$& ')),
  'header of its own': (block) => block.replace('\n', '\nComment: x\n\n'),
  'header without a blank line': (block) => block.replace('\n', '\nComment: x\n'),
  'Proc-Type header': (block) => block.replace('\n', '\nProc-Type: 4,MIC-CLEAR\n\n'),
  'colon within': (block) => block.replace(/\n(.{8})/, '\n$1:'),
  'wrong character': (block) => block.replace(/\n(.{8})/, '\n$1!'),
  'one character less': (block) => block.replace(/\n./, '\n'),
  'padding in the middle': (block) => block.replace(/\n(....)/, '\n$1=='),
  'more padding': (block) => block.replace('\n-----END', '==\n-----END'),
  'hyphen within': (block) => block.replace(/\n(....)/, '\n$1-'),
  'hyphen at an odd place': (block) => block.replace(/\n(.....)/, '\n$1-'),
  'cut in its data': (block) => block.slice(0, 200),
  'cut before END': (block) => block.replace(/-----END[^]*/, ''),
  'END of another': (block) => block.replace(/END .*-----/, 'END STUFF-----'),
  'END cut': (block) => block.trimEnd().slice(0, -1) + '\n',
  'END lower case': (block) => block.replace('END', 'end'),
  'text after END': (block) => block.trimEnd() + 'x\n',
  'blank after END': (block) => block.trimEnd() + '  \n',
  'BEGIN lower case': (block) => block.replace('BEGIN', 'begin'),
  'BEGIN with four hyphens': (block) => block.replace('-----BEGIN', '----BEGIN'),
  'BEGIN with two blanks': (block) => block.replace('BEGIN ', 'BEGIN  '),
  'old label': (block) => block.replaceAll(' CERTIFICATE-', ' X509 CERTIFICATE-'),
  'trusted label': (block) => block.replaceAll(' CERTIFICATE-', ' TRUSTED CERTIFICATE-'),
  'list called a certificate': (block) => block.replaceAll(' X509 CRL-', ' CERTIFICATE-'),
  'certificate called a list': (block) => block.replaceAll(' CERTIFICATE-', ' X509 CRL-'),
  'label CRL': (block) => block.replaceAll(' X509 CRL-', ' CRL-'),
  'bytes after the DER': (block) => joined(block, (data) => withMore(data)),
  'data cut, in whole groups': (block) => joined(block, (data) => data.slice(0, 120)),
};

function joined(block: string, change: (data: string) => string): string {
  const lines = block.trimEnd().split('\n');
  return `${lines[0]}\n${change(lines.slice(1, -1).join(''))}\n${lines.at(-1)}\n`;
}

function withMore(data: string): string {
  return Buffer.concat([Buffer.from(data, 'base64'), Buffer.from('more')]).toString('base64');
}

type Files = readonly (readonly [name: string, content: string])[];

function generated(one: string, other: string): Files {
  const around = Object.entries(junk).flatMap(([name, text]): [string, string][] => [
    [`${name} before`, text + one + other],
    [`${name} between`, one + text + other],
    [`${name} glued between`, one.trimEnd() + text + other],
    [`${name} after`, one + other + text],
    [`${name} after, glued`, one + other.trimEnd() + text],
    [`${name} alone`, text],
  ]);
  const changed = Object.entries(changes).flatMap(([name, change]): [string, string][] => [
    [`${name}, first`, change(one) + other],
    [`${name}, second`, one + change(other)],
    [`${name}, alone`, change(one)],
    [`${name}, both`, change(one) + change(other)],
    [`${name}, after a BOM`, BOM + change(one) + other],
  ]);
  return [...around, ...changed];
}

/** What we make of a file, in the oracle's form. */
function ours(op: string, bytes: Buffer): OracleAnswer {
  try {
    if (op === 'key') return findKey(bytes) ? {} : { error: 'unsupported' };
    if (op === 'chain') return { objects: readChain(bytes).certificates.map(digestOfCertificate) };
    if (op === 'ca') readClientAuthorities('ca.crt', bytes);
    const { certificates, lists } = readStore(bytes);
    const objects = [...certificates.map(digestOfCertificate), ...lists.map(({ der }) => digest(2, der))];
    // A store holds each object once.
    return { objects: [...new Map(objects.map((each) => [each.join(), each])).values()] };
  } catch (error) {
    if (error instanceof PemError) return { error: error.message };
    throw error;
  }
}

function findKey(bytes: Buffer): boolean {
  return [...readablePem(bytes)].some(({ label, header, der }) => {
    try {
      return label.endsWith('PRIVATE KEY') && createPrivateKey(encodePem(label, der, header)) !== null;
    } catch {
      return false;
    }
  });
}

type Digest = readonly [kind: 1 | 2, digest: string];

function digestOfCertificate({ certificate }: { readonly certificate: { readonly raw: Buffer } }): Digest {
  return digest(1, certificate.raw);
}

function digest(kind: 1 | 2, der: Uint8Array): Digest {
  return [kind, createHash('sha256').update(der).digest('hex')];
}

/** A store has no order, a chain has. A key is read by several decoders, and their words depend on which came last. */
function comparable(op: string, { objects, ...rest }: OracleAnswer): string {
  if (op === 'key') return String(rest.error === undefined);
  const inOrder = op === 'chain' ? objects : objects?.map((each) => each.join()).toSorted();
  return JSON.stringify({ ...rest, objects: inOrder });
}

const cases = {
  crl: generated(L, M),
  ca: generated(A, B),
  chain: generated(A, B),
  // What an encrypted key needs is asked for elsewhere.
  key: generated(KEY, A).filter(([name]) => !name.startsWith('encrypted')),
};
for (const [op, files] of Object.entries(cases)) {
  await test(`${op}: ${files.length} files`, needs('/usr/bin/python3', 'openssl'), async (t) => {
    const directory = temporaryDirectory(t);
    const oracle = opensslOracle(t);
    let loaded = 0;
    for (const [name, content] of files) {
      const file = join(directory, 'file.pem');
      const bytes = Buffer.from(content, 'latin1');
      writeFileSync(file, bytes);
      const expected = await oracle.ask({ op, file });
      const found = ours(op, bytes);
      if (comparable(op, found) !== comparable(op, expected)) t.strictSame(found, expected, name);
      if (expected.error === undefined) loaded += 1;
    }
    t.ok(loaded > 100 && loaded < files.length - 100, `of which OpenSSL loads ${loaded}`);
  });
}

await test('no block of a file that loads is dropped without a word', async (t) => {
  for (const [name, content] of [...cases.crl, ...cases.ca]) {
    const bytes = Buffer.from(content, 'latin1');
    try {
      const { certificates, lists, passedOver } = readStore(bytes);
      const begun = content.match(/-----BEGIN [^-\n]*-----/g) ?? [];
      t.equal(certificates.length + lists.length + passedOver.length, begun.length, name);
    } catch (error) {
      if (!(error instanceof PemError)) throw error;
    }
  }
});
