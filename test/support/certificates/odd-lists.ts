// The odd revocation lists of one authority.

import { extensions as ext } from './extensions.ts';
import { keysFor, oddList, type OddList } from './odd-certificates.ts';
import type { Link } from './odd-chains.ts';
import type { ListEntry } from './x509.ts';
import { fromNow, POINT, type Parts } from './odd-parts.ts';

const LEAF: ListEntry = { serial: 0x1234n };
const SCOPES = ['users', 'authorities', 'attributes', 'some-reasons', 'indirect'] as const;

/** The lists of the authority that has issued the client's certificate. */
export function issuersLists(kind: Parts['lists'], issuer: Link): Buffer[] {
  const good = listOf(issuer);
  const outdated = { thisUpdate: fromNow(-9), nextUpdate: fromNow(-2) };
  const future = { thisUpdate: fromNow(2), nextUpdate: fromNow(9) };
  const other = { ...issuer, keys: keysFor('another') };
  const number = ext.crlNumber(7n);
  const scope = SCOPES.find((name) => kind === `scope ${name}`);
  if (scope !== undefined)
    return [listOf(issuer, { entries: [LEAF], extensions: [ext.issuingDistributionPoint(scope)] })];
  const table: Readonly<Record<string, () => Buffer[]>> = {
    'leaf revoked': () => [listOf(issuer, { entries: [LEAF] })],
    'leaf revoked with a reason': () => [
      listOf(issuer, { entries: [{ ...LEAF, extensions: [ext.reason(1)] }] }),
    ],
    'leaf removed from the list': () => [
      listOf(issuer, { entries: [{ ...LEAF, extensions: [ext.reason(8)] }] }),
    ],
    'of the issuer missing': () => [listOf({ ...issuer, subject: 'Nobody' })],
    outdated: () => [listOf(issuer, outdated)],
    'outdated beside current': () => [listOf(issuer, outdated), good],
    'outdated revoking beside current': () => [good, listOf(issuer, { ...outdated, entries: [LEAF] })],
    future: () => [listOf(issuer, future)],
    'future beside current': () => [listOf(issuer, { ...future, entries: [LEAF] }), good],
    'without nextUpdate': () => [listOf(issuer, { nextUpdate: null })],
    'by another key': () => [listOf(other)],
    'by another key, revoking, beside a good one': () => [listOf(other, { entries: [LEAF] }), good],
    'newer without the leaf': () => [listOf(issuer, { thisUpdate: fromNow(-2), entries: [LEAF] }), good],
    'newer with the leaf': () => [
      listOf(issuer, { thisUpdate: fromNow(-2) }),
      listOf(issuer, { entries: [LEAF] }),
    ],
    'without authority key': () => [listOf(issuer, { extensions: [number] })],
    'wrong authority key': () => [
      listOf(issuer, { extensions: [number, ext.authorityKey(keysFor('another'))] }),
    ],
    'scope of another point': () => [
      listOf(issuer, { extensions: [ext.issuingDistributionPoint({ uri: 'http://lists.example/else' })] }),
    ],
    'scope of the leaf’s point': () => [
      listOf(issuer, { entries: [LEAF], extensions: [ext.issuingDistributionPoint({ uri: POINT })] }),
    ],
    'delta alone': () => [listOf(issuer, { entries: [LEAF], extensions: [number, ext.deltaOf(6n)] })],
    'delta revoking beside its base': () => [
      good,
      listOf(issuer, { entries: [LEAF], extensions: [ext.crlNumber(8n), ext.deltaOf(7n)] }),
    ],
    'delta removing beside its base': () => [
      listOf(issuer, { entries: [LEAF] }),
      listOf(issuer, {
        entries: [{ ...LEAF, extensions: [ext.reason(8)] }],
        extensions: [ext.crlNumber(8n), ext.deltaOf(7n)],
      }),
    ],
    'unknown critical extension': () => [listOf(issuer, { extensions: [ext.unknown(true)] })],
    'unknown critical extension of an entry': () => [
      listOf(issuer, { entries: [{ serial: 5n, extensions: [ext.unknown(true)] }] }),
    ],
  };
  return table[kind]?.() ?? [good];
}

export function listOf(issuer: Link, odd: Partial<OddList> = {}): Buffer {
  return oddList({
    issuer: issuer.subject,
    signer: issuer.keys,
    thisUpdate: fromNow(-1),
    nextUpdate: fromNow(6),
    entries: [],
    extensions: [ext.crlNumber(7n), ext.authorityKey(issuer.keys)],
    ...odd,
  });
}
