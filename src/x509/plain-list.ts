// A revocation list that says nothing but who is revoked. Only for saying which certificate a failed verification was
// about.

import { hash, type KeyObject } from 'node:crypto';
import { readRevocationList, type RevokedSerials } from './crl.ts';
import { decodeOid, DerError, DerReader, tags } from './der.ts';
import { canonicalName } from './name-hash.ts';
import { isSignedBy } from './signed-list.ts';

export interface PlainList {
  /** The issuer's name in its canonical form. */
  readonly issuer: Buffer;
  readonly lastUpdate: Date;
  readonly nextUpdate: Date | null;
  readonly revoked: RevokedSerials;
  readonly verifiesWith: (key: KeyObject) => boolean;
}

const EXTENSIONS = 0xa0;

/** authorityKeyIdentifier and cRLNumber: extensions that change nothing of what a list says. */
const PLAIN_EXTENSIONS: ReadonlySet<string> = new Set(['2.5.29.35', '2.5.29.20']);

/** @returns null where the list needs interpretation */
export function readPlainList(der: Uint8Array): PlainList | null {
  try {
    const { issuerDer, lastUpdate, nextUpdate, revoked } = readRevocationList(der);
    const outer = new DerReader(der).enter(tags.sequence);
    const body = outer.read(tags.sequence);
    if (!hasPlainExtensions(outer.inside(body))) return null;
    const algorithm = decodeOid(outer.enter(tags.sequence).contents(tags.oid));
    const signature = outer.contents(tags.bitString).subarray(1);
    const signed = outer.encodingOf(body);
    const verifiesWith = rememberingLast((key) => isSignedBy(key, signed, signature, algorithm));
    return { issuer: canonicalName(issuerDer), lastUpdate, nextUpdate, revoked, verifiesWith };
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

function hasPlainExtensions(body: DerReader): boolean {
  while (!body.atEnd && !body.nextIs(EXTENSIONS)) body.read();
  if (body.atEnd) return true;
  const list = body.enter(EXTENSIONS).enter(tags.sequence);
  while (!list.atEnd) {
    const extension = list.enter(tags.sequence);
    const id = decodeOid(extension.contents(tags.oid));
    if (!PLAIN_EXTENSIONS.has(id) || extension.nextIs(tags.boolean)) return false;
  }
  return true;
}

/** A list's issuer has one key, and hashing a long list takes a while. */
function rememberingLast(ask: (key: KeyObject) => boolean): (key: KeyObject) => boolean {
  let last = { key: '', answer: false };
  return (key) => {
    const id = hash('sha256', key.export({ type: 'spki', format: 'der' }), 'hex');
    if (last.key !== id) last = { key: id, answer: ask(key) };
    return last.answer;
  };
}
