// Client chains and revocation lists put together from odd parts.

import { extensions as ext, purposes } from './extensions.ts';
import { keysFor, oddCertificate } from './odd-certificates.ts';
import { issuersLists, listOf } from './odd-lists.ts';
import { fromNow, POINT, type Parts } from './odd-parts.ts';
import type { Keys, ListEntry } from './x509.ts';

export interface OddChain {
  readonly parts: Parts;
  /** What ssl_ca_file holds, DER. */
  readonly file: readonly Buffer[];
  /** What the client sends, DER, its own certificate first. */
  readonly sent: readonly [Buffer, ...Buffer[]];
  readonly keys: Keys;
  /** What ssl_crl_file holds, DER; null = it is not set. */
  readonly lists: readonly Buffer[] | null;
  /** As `sent`, with a client certificate that differs by having expired. */
  readonly expired: readonly [Buffer, ...Buffer[]];
}

/** Makes what the parts say. */
export function makeOddChain(parts: Parts): OddChain {
  return new Maker(parts).make();
}

/** One certificate of a chain, and what those that it signs need to know of it. */
export interface Link {
  readonly der: Buffer;
  readonly subject: string;
  readonly issuer: string;
  readonly keys: Keys;
  readonly serial: bigint;
}

class Maker {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  make(): OddChain {
    const { place, depth } = this.#parts;
    const root = this.#root();
    const middles: Link[] = [];
    for (let level = 0; level < depth; level++) middles.push(this.#middle(middles.at(-1) ?? root, level));
    const issuer = middles.at(-1) ?? root;
    const keys = keysFor(this.#parts.leaf === 'RSA-1024' ? 'rsa1024 leaf' : 'leaf');
    const upwards = middles.map(({ der }) => der).toReversed();
    const strangers = [stranger('Stranger 1'), stranger('Stranger 2')];
    const neighbours = this.#neighbours(root, middles[0]);
    const sent = {
      sent: upwards,
      'in the file': [],
      missing: [],
      'sent in reverse': upwards.toReversed(),
      'sent with strangers': [...strangers, ...upwards],
      'sent with the root': [...upwards, root.der],
    }[place];
    const roots = this.#parts.root === 'not in the file' ? [stranger('Another Root')] : [root.der];
    return {
      parts: this.#parts,
      file: [
        ...neighbours.before,
        ...roots,
        ...(place === 'in the file' ? upwards : []),
        ...neighbours.after,
      ],
      sent: [this.#leaf(issuer, keys, false).der, ...sent, ...neighbours.sent],
      expired: [this.#leaf(issuer, keys, true).der, ...sent, ...neighbours.sent],
      keys,
      lists: this.#lists(root, middles, issuer),
    };
  }

  #root(): Link {
    const kind = this.#parts.root;
    const keys = keysFor(kind === 'RSA-1024' ? 'rsa1024 root' : 'root');
    return this.#authority({ subject: 'Root', issuer: 'Root', keys, signer: keys, serial: 1n }, kind, []);
  }

  #middle(issuer: Link, level: number): Link {
    const kind = level === 0 ? this.#parts.middle : 'plain';
    const subject = `Middle ${level}`;
    const keys = keysFor(kind === 'RSA-1024' ? 'rsa1024 middle' : subject);
    const constraints: Readonly<Record<string, readonly Buffer[]>> = {
      'names permitted': [ext.nameConstraints('permitted', 'client.example')],
      'names not permitted': [ext.nameConstraints('permitted', 'other.example')],
      'names excluded': [ext.nameConstraints('excluded', 'client.example')],
      'unknown critical extension': [ext.unknown(true)],
      'clientAuth only': [ext.extendedKeyUsage(purposes.clientAuth)],
    };
    const more = constraints[kind] ?? [];
    return this.#authority(
      { subject, issuer: issuer.subject, keys, signer: issuer.keys, serial: BigInt(10 + level) },
      kind,
      more,
    );
  }

  #authority(
    who: { subject: string; issuer: string; keys: Keys; signer: Keys; serial: bigint },
    kind: Parts['root'] | Parts['middle'],
    more: readonly Buffer[],
  ): Link {
    const usage: Readonly<Record<string, readonly Buffer[]>> = {
      'without keyUsage': [],
      'without cRLSign': [ext.keyUsage(5)],
      'without keyCertSign': [ext.keyUsage(6)],
    };
    const extensions = [
      ...(kind === 'without basicConstraints'
        ? []
        : [ext.basicConstraints(kind !== 'no CA', kind === 'pathlen 0' ? 0n : undefined)]),
      ...(usage[kind] ?? [ext.keyUsage(5, 6)]),
      ...(kind === 'without key identifiers' ? [] : [ext.subjectKey(who.keys), ext.authorityKey(who.signer)]),
      ...(kind === 'serverAuth only' ? [ext.extendedKeyUsage(purposes.serverAuth)] : []),
      ...more,
    ];
    const der = oddCertificate({
      ...who,
      version: kind === 'version 1' ? 1 : 3,
      notBefore: fromNow(kind === 'not yet valid' ? 1 : -30),
      notAfter: fromNow(kind === 'expired' ? -1 : 30),
      extensions: kind === 'version 1' ? [] : extensions,
    });
    return { ...who, der };
  }

  #leaf(issuer: Link, keys: Keys, isExpired: boolean): Link {
    const kind = this.#parts.leaf;
    const identity = { subject: 'Client', keys, serial: 0x1234n };
    const isOwn = kind === 'self-signed';
    const signer = isOwn ? keys : kind === 'signed by another key' ? keysFor('another') : issuer.keys;
    const who = { ...identity, issuer: isOwn ? 'Client' : issuer.subject, signer };
    const der = oddCertificate({
      ...who,
      version: kind === 'version 1' ? 1 : 3,
      notBefore: fromNow(kind === 'not yet valid' ? 1 : -20),
      notAfter: fromNow(kind === 'expired' || isExpired ? -2 : 20),
      extensions: kind === 'version 1' ? [] : leafExtensions(kind, { ...issuer, keys: signer }, keys),
    });
    return { ...who, der };
  }

  /** What stands beside the chain, in the file and in what is sent. */
  #neighbours(root: Link, middle: Link | undefined): Record<'before' | 'after' | 'sent', Buffer[]> {
    const none = { before: [], after: [], sent: [] };
    const other = keysFor('another root');
    const namesake = this.#authority(
      { subject: 'Root', issuer: 'Root', keys: other, signer: other, serial: 2n },
      'plain',
      [],
    ).der;
    const old = this.#authority({ ...root, signer: root.keys, serial: 3n }, 'expired', []).der;
    const crossing = { subject: 'Other Root', issuer: 'Other Root', keys: other, signer: other, serial: 4n };
    const otherRoot = this.#authority(crossing, 'plain', []).der;
    const across = this.#authority(
      { ...root, issuer: 'Other Root', signer: other, serial: 5n },
      'plain',
      [],
    ).der;
    switch (this.#parts.neighbour) {
      case 'none':
        return none;
      case 'a root of the same name before':
        return { ...none, before: [namesake] };
      case 'a root of the same name after':
        return { ...none, after: [namesake] };
      case 'the expired root of the same key before':
        return { ...none, before: [old] };
      case 'the expired root of the same key after':
        return { ...none, after: [old] };
      case 'the root twice':
        return { ...none, after: [root.der] };
      case 'the root signed across, sent':
        return { ...none, after: [otherRoot], sent: [across] };
      case 'the root signed across, in the file':
        return { ...none, after: [otherRoot, across] };
      case 'an expired middle of the same key':
        if (middle === undefined) return none;
        return {
          ...none,
          sent: [this.#authority({ ...middle, signer: root.keys, serial: 6n }, 'expired', []).der],
        };
      case 'a middle by another root':
        if (middle === undefined) return none;
        return {
          ...none,
          after: [otherRoot],
          sent: [
            this.#authority({ ...middle, issuer: 'Other Root', signer: other, serial: 7n }, 'plain', []).der,
          ],
        };
      default:
        return this.#parts.neighbour satisfies never;
    }
  }

  /** A good list for every authority, but for the one that is odd: the issuer's. */
  #lists(root: Link, middles: readonly Link[], issuer: Link): Buffer[] | null {
    const kind = this.#parts.lists;
    if (kind === 'off') return null;
    const others = [root, ...middles].filter(
      (link) => link !== issuer && !(kind === 'of the root missing' && link === root),
    );
    const middle = middles.at(-1)?.serial;
    const good = others.map((link, index) => {
      const serial = index === others.length - 1 && kind === 'middle revoked' ? middle : undefined;
      const entries = serial === undefined ? [] : revokes(serial);
      const isRoot = link === root && kind === 'root revoked';
      return listOf(link, { entries: isRoot ? revokes(root.serial) : entries });
    });
    if (kind === 'root revoked' && issuer === root) return [listOf(root, { entries: revokes(root.serial) })];
    if (kind === 'of the root missing' && issuer === root)
      return [...good, listOf({ ...root, subject: 'Nobody' })];
    return [...good, ...issuersLists(kind, issuer)];
  }
}

function revokes(serial: bigint): ListEntry[] {
  return [{ serial }];
}

function leafExtensions(kind: Parts['leaf'], issuer: Link, keys: Keys): Buffer[] {
  const authority: Readonly<Record<string, readonly Buffer[]>> = {
    'without authority key': [],
    'wrong authority key': [ext.authorityKey(keysFor('another'))],
    'authority by serial': [ext.authoritySerial(issuer.issuer, issuer.serial)],
    'wrong authority by serial': [ext.authoritySerial(issuer.issuer, issuer.serial + 1n)],
  };
  const usage: Readonly<Record<string, readonly Buffer[]>> = {
    'without digitalSignature': [ext.keyUsage(2)],
    'keyUsage keyEncipherment alone': [ext.keyUsage(2)],
    'a CA': [ext.keyUsage(0, 5, 6)],
  };
  const purpose: Readonly<Record<string, readonly Buffer[]>> = {
    'without extendedKeyUsage': [],
    'serverAuth only': [ext.extendedKeyUsage(purposes.serverAuth)],
    'any purpose': [ext.extendedKeyUsage(purposes.any)],
  };
  return [
    ext.basicConstraints(kind === 'a CA'),
    ...(usage[kind] ?? [ext.keyUsage(0)]),
    ...(purpose[kind] ?? [ext.extendedKeyUsage(purposes.clientAuth)]),
    ext.subjectKey(keys),
    ...(authority[kind] ?? [ext.authorityKey(issuer.keys)]),
    ext.subjectAltName({ dns: ['host.client.example'] }),
    ext.distributionPoint(POINT),
    ...(kind === 'unknown extension' ? [ext.unknown(false)] : []),
    ...(kind === 'unknown critical extension' ? [ext.unknown(true)] : []),
  ];
}

function stranger(subject: string): Buffer {
  const keys = keysFor(subject);
  return oddCertificate({
    version: 3,
    subject,
    issuer: subject,
    keys,
    signer: keys,
    serial: 99n,
    notBefore: fromNow(-30),
    notAfter: fromNow(30),
    extensions: [ext.basicConstraints(true), ext.keyUsage(5, 6), ext.subjectKey(keys)],
  });
}
