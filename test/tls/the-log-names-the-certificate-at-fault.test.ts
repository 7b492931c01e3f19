// Where a chain fails PostgreSQL logs the certificate that OpenSSL met the first error at. Node tells neither the first
// error nor the certificate. So the log names one where it is certain which one that is, and none otherwise: here over
// combinations of faults, beside OpenSSL's own verification, which stops at the first error.

import { X509Certificate } from 'node:crypto';
import tap, { test } from 'tap';
import { loadAuthority } from '../../src/pki/authority.ts';
import {
  testAuthority,
  type IssueOptions,
  type TestAuthority,
} from '../support/certificates/certificates.ts';
import { opensslOracle, type OracleAnswer } from '../support/oracles/openssl-oracle.ts';
import type { Scope } from '../support/run/scope.ts';
import { gateOf, presenting, TlsClient } from '../support/certificates/tls.ts';
import { needs } from '../support/run/tools.ts';

/** No promise: 600 handshakes, each with an authority of its own. */
const PATIENCE_MS = 300_000;
tap.setTimeout(PATIENCE_MS);

const HOUR_MS = 3_600_000;
const past = new Date(Date.now() - HOUR_MS);
const longPast = new Date(Date.now() - 2 * HOUR_MS);
const future = new Date(Date.now() + HOUR_MS);
const farFuture = new Date(Date.now() + 2 * HOUR_MS);

const leaves: Readonly<Record<string, IssueOptions>> = {
  'a good leaf': {},
  'an expired leaf': { expired: true },
  'a leaf of tomorrow': { notYetValid: true },
  "a server's leaf": { extendedKeyUsage: ['serverAuth'] },
  'a self-signed leaf': { selfSigned: true },
  "an expired server's leaf": { extendedKeyUsage: ['serverAuth'], expired: true },
};

interface Issuing {
  readonly validity?: { readonly notBefore: Date; readonly notAfter: Date };
  /** Where the intermediate is: with the client, in ssl_ca_file, or nowhere. */
  readonly at?: 'client' | 'file' | 'nowhere';
  readonly isLeaf?: boolean;
  readonly foreign?: boolean;
  readonly isNamesake?: boolean;
  readonly sendsRoot?: boolean;
}

const issuers: Readonly<Record<string, Issuing | null>> = {
  'of the root': null,
  'of an intermediate': {},
  'of an intermediate in the file': { at: 'file' },
  'of an intermediate that nobody has': { at: 'nowhere' },
  'of an expired intermediate': { validity: { notBefore: longPast, notAfter: past } },
  'of an intermediate of tomorrow': { validity: { notBefore: future, notAfter: farFuture } },
  'of a foreign intermediate': { foreign: true },
  'of a foreign intermediate, with its root': { foreign: true, at: 'client', sendsRoot: true },
  'of a foreign root of our name': { foreign: true, isNamesake: true },
  'of an end entity': { isLeaf: true },
};

type Lists = (
  root: TestAuthority,
  lower: TestAuthority | null,
  serial: { readonly serial: bigint },
) => string;

const lists: Readonly<Record<string, Lists | null>> = {
  'without lists': null,
  'with all lists': (root, lower) => root.crl() + (lower?.crl() ?? ''),
  revoked: (root, lower, leaf) =>
    lower === null ? root.crl({ revoked: [leaf] }) : root.crl() + lower.crl({ revoked: [leaf] }),
  'with its intermediate revoked': (root, lower) =>
    root.crl(lower === null ? {} : { revoked: [serialOf(lower)] }) + (lower?.crl() ?? ''),
  "with the root's list only": (root) => root.crl(),
  "with the intermediate's list only": (root, lower) => lower?.crl() ?? root.crl(),
  'revoked by an outdated list': (root, lower, leaf) =>
    root.crl() + (lower ?? root).crl({ revoked: [leaf], thisUpdate: longPast, nextUpdate: past }),
  "with an outdated list of the root's": (root, lower) =>
    root.crl({ thisUpdate: longPast, nextUpdate: past }) + (lower?.crl() ?? ''),
  'with lists of tomorrow': (root, lower) =>
    root.crl({ thisUpdate: future, nextUpdate: farFuture }) + (lower?.crl() ?? ''),
  'with old lists, without extensions': (root, lower) =>
    root.crl({ bare: true }) + (lower?.crl({ bare: true }) ?? ''),
};

function serialOf({ cert }: TestAuthority): { readonly serial: bigint } {
  return { serial: BigInt(`0x${new X509Certificate(cert).serialNumber}`) };
}

interface Presented {
  readonly cert: string;
  readonly key: string;
  readonly serial: bigint;
}

/** What the client presents, the authority below the root, and ssl_ca_file. */
function issue(t: Scope, root: TestAuthority, how: Issuing | null, leaf: IssueOptions) {
  if (how === null) return { client: root.client('alice', leaf), lower: null, caFile: root.caFile };
  if (how.isLeaf === true) {
    const upper = root.client('upper', { extendedKeyUsage: [] });
    const below = loadAuthority(upper.cert, upper.key).issue({ subject: 'alice', purposes: ['clientAuth'] });
    const serial = BigInt(`0x${new X509Certificate(below.certificate).serialNumber}`);
    const client: Presented = { cert: below.certificate + upper.cert, key: below.key, serial };
    return { client, lower: null, caFile: root.caFile };
  }
  const top =
    how.foreign === true ? testAuthority(t, how.isNamesake === true ? {} : { cn: 'Foreign CA' }) : root;
  const lower = top.intermediate('Lower CA', how.validity ?? {});
  const issued = lower.client('alice', leaf);
  const chain = (how.at ?? 'client') === 'client' ? lower.chain : '';
  const cert =
    issued.cert.replace(lower.chain, '') +
    (leaf.selfSigned === true ? '' : chain) +
    (how.sendsRoot === true ? top.cert : '');
  const caFile = how.at === 'file' ? root.write('bundle.crt', root.cert + lower.cert) : root.caFile;
  return { client: { ...issued, cert }, lower, caFile };
}

const DETAIL =
  /^Client certificate verification failed at depth (\d+): (.*)\.\nFailed certificate data \(unverified\): subject ".*", serial number (\d+), issuer ".*"\.$/;

function derOf(cert: string): string[] {
  const blocks = cert.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n/g) ?? [];
  return blocks.map((block) => new X509Certificate(block).raw.toString('hex'));
}

let refused = 0;
let named = 0;

for (const [issuerName, how] of Object.entries(issuers)) {
  await test(issuerName, { ...needs('/usr/bin/python3', 'openssl'), timeout: PATIENCE_MS }, async (t) => {
    const oracle = opensslOracle(t);
    for (const [leafName, leaf] of Object.entries(leaves)) {
      for (const [listName, list] of Object.entries(lists)) {
        const root = testAuthority(t);
        const { client, lower, caFile } = issue(t, root, how, leaf);
        const crl = list === null ? null : root.write('lists.crl', list(root, lower, client));
        const expected: OracleAnswer = await oracle.ask({
          op: 'verify',
          ca: caFile,
          crl,
          chain: derOf(client.cert),
        });
        const gate = await gateOf(t, root, { ssl_ca_file: caFile, ssl_crl_file: crl ?? '' });
        const peer = new TlsClient(t, gate, presenting(client));
        const { certificate } = await gate.session();
        peer.socket.destroy();
        const name = `${leafName} ${issuerName} ${listName}`;
        if (certificate.state !== 'unverified') {
          t.equal(expected.error, undefined, name);
          continue;
        }
        refused += 1;
        const [, depth, reason, serial] = DETAIL.exec(certificate.detail) ?? [];
        if (depth === undefined) {
          t.equal(certificate.detail, `Client certificate verification failed: ${certificate.reason}.`, name);
          continue;
        }
        named += 1;
        const fault = derOf(client.cert + root.cert + (lower?.cert ?? ''))
          .map((der) => new X509Certificate(Buffer.from(der, 'hex')))
          .find(({ serialNumber }) => BigInt(`0x${serialNumber}`) === BigInt(serial ?? 0));
        const digest = fault?.fingerprint256.replaceAll(':', '').toLowerCase();
        t.strictSame({ error: reason, depth: Number(depth), certificate: digest }, expected, name);
      }
    }
  });
}

await test('of most it is certain', needs('/usr/bin/python3', 'openssl'), async (t) => {
  t.ok(refused > 300, `${refused} chains were refused`);
  t.ok(named / refused > 0.8, `the certificate at fault is named for ${named}`);
});
