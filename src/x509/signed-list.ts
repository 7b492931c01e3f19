// A revocation list as evidence: whose it is, which key it verifies with, and whom it names. Only what needs no
// interpretation counts; a list that speaks of a scope, of another list or of anything critical is not plain.

import { verify, type KeyObject } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { decodeOid, decodeTime, DerError, DerReader, tags } from './der.ts';

export interface SignedList {
  /** The issuer's Name, DER. */
  readonly issuer: Uint8Array;
  readonly lastUpdate: Date;
  /** It says nothing but who is revoked. */
  readonly isPlain: boolean;
  /** A delta list: OpenSSL passes over it, because nothing here asks it to use deltas. */
  readonly isDelta: boolean;
  /** Contents of each revoked serial number, as latin1. */
  readonly revoked: ReadonlySet<string>;
  /** Whether the key has signed it; false for algorithms that are not known here. */
  readonly verifiesWith: (key: KeyObject) => boolean;
}

/** Entries that are read before other work gets its turn. */
const ENTRIES_IN_ONE_GO = 5_000;

const DELTA_INDICATOR = '2.5.29.27';
const ISSUING_DISTRIBUTION_POINT = '2.5.29.28';
const REASON_CODE = '2.5.29.21';
const EXPLICIT_0 = 0xa0;
/** ENUMERATED of one octet, removeFromCRL. */
const REMOVE_FROM_CRL = '0a0108';

/** Signature algorithm → digest; null where the key's own type says it all. RSASSA-PSS is not among them. */
const digests: ReadonlyMap<string, string | null> = new Map([
  ['1.2.840.113549.1.1.5', 'sha1'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.1', 'sha1'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.3.101.112', null],
  ['1.3.101.113', null],
]);

/** @returns null where the list cannot be read to its last byte */
export async function readSignedList(der: Uint8Array): Promise<SignedList | null> {
  try {
    const outer = new DerReader(der).enter(tags.sequence);
    const body = outer.read(tags.sequence);
    const algorithm = decodeOid(outer.enter(tags.sequence).contents(tags.oid));
    const signature = outer.contents(tags.bitString).subarray(1);
    outer.finish();
    const signed = outer.encodingOf(body);
    return {
      ...(await readBody(outer.inside(body))),
      verifiesWith: (key) => isSignedBy(key, signed, signature, algorithm),
    };
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

async function readBody(body: DerReader): Promise<Omit<SignedList, 'verifiesWith'>> {
  if (body.nextIs(tags.integer)) body.read();
  body.read(tags.sequence);
  const issuer = body.encodingOf(body.read(tags.sequence));
  const lastUpdate = decodeTime(body);
  if (body.nextIs(tags.utcTime) || body.nextIs(tags.generalizedTime)) body.read();
  const revoked = new Set<string>();
  let isPlain = true;
  if (body.nextIs(tags.sequence)) {
    const entries = body.enter(tags.sequence);
    for (let count = 1; !entries.atEnd; count++) {
      const { serial, removed, critical } = readEntry(entries.enter(tags.sequence));
      if (critical) isPlain = false;
      if (!removed) revoked.add(serial);
      if (count % ENTRIES_IN_ONE_GO === 0) await setImmediate();
    }
  }
  const extensions = body.atEnd ? [] : readExtensions(body.enter(EXPLICIT_0));
  const ids = extensions.map(({ id }) => id);
  if (ids.includes(ISSUING_DISTRIBUTION_POINT) || extensions.some(({ critical }) => critical))
    isPlain = false;
  return { issuer, lastUpdate, isPlain, isDelta: ids.includes(DELTA_INDICATOR), revoked };
}

function readEntry(entry: DerReader): { serial: string; removed: boolean; critical: boolean } {
  const serial = latin1(entry.contents(tags.integer));
  entry.read();
  const extensions = entry.atEnd ? [] : readExtensions(entry);
  return {
    serial,
    removed: extensions.some(({ id, value }) => id === REASON_CODE && value === REMOVE_FROM_CRL),
    critical: extensions.some(({ critical }) => critical),
  };
}

function readExtensions(holder: DerReader): { id: string; critical: boolean; value: string }[] {
  const list = holder.enter(tags.sequence);
  const found: { id: string; critical: boolean; value: string }[] = [];
  while (!list.atEnd) {
    const extension = list.enter(tags.sequence);
    const id = decodeOid(extension.contents(tags.oid));
    const critical = extension.nextIs(tags.boolean) && extension.contents(tags.boolean)[0] !== 0;
    found.push({ id, critical, value: Buffer.from(extension.contents(tags.octetString)).toString('hex') });
  }
  return found;
}

/** Whether the key has signed these bytes; false for algorithms that are not known here. */
export function isSignedBy(
  key: KeyObject,
  signed: Uint8Array,
  signature: Uint8Array,
  algorithm: string,
): boolean {
  const digest = digests.get(algorithm);
  if (digest === undefined) return false;
  try {
    return verify(digest, signed, key, signature);
  } catch {
    return false;
  }
}

/** Bytes as a string that can be a member of a Set. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
