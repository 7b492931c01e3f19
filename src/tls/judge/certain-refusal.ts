// What can be said against a client's chain without asking the time: that no root of ssl_ca_file vouches for it any
// more, or that a list of its issuer's names it. It is meant to be generous: what is not certain does not count.

import { X509Certificate } from 'node:crypto';
import { DerError, DerReader, tags } from '../../x509/der.ts';
import { latin1, readSignedList, type SignedList } from '../../x509/signed-list.ts';
import type { TlsMaterial } from '../types.ts';

/** Signatures that are checked for one chain. A bundle that needs more makes nothing certain. */
const MAX_SIGNATURES = 500;

/** Node's names of the two certain errors. */
export type CertainError = 'CERT_REVOKED' | 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';

/** One state of ssl_ca_file and the revocation lists. The lists are read when they are first needed. */
export class CertainRefusals {
  readonly #material: Pick<TlsMaterial, 'authorities' | 'options'>;
  #lists: Promise<readonly SignedList[]> | null = null;

  constructor(material: Pick<TlsMaterial, 'authorities' | 'options'>) {
    this.#material = material;
  }

  /**
   * @param chain DER, the client's own certificate first
   * @returns null where nothing is certain
   */
  async find(chain: readonly Uint8Array[]): Promise<CertainError | null> {
    const { authorities } = this.#material;
    const sent = chain.map((der) => new X509Certificate(der));
    const paths = new Paths(sent, authorities);
    const revoked: X509Certificate[] = [];
    for (const certificate of new Set([...sent, ...authorities])) {
      if (paths.areTooMany) return null;
      if (await this.#isRevoked(certificate, paths)) revoked.push(certificate);
    }
    const [leadsToRoot, leadsPastLists] = [paths.leadToRoot([]), paths.leadToRoot(revoked)];
    if (paths.areTooMany || leadsPastLists) return null;
    return leadsToRoot ? 'CERT_REVOKED' : 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';
  }

  /** Whether the newest list by the certificate's issuer, by now and signed with the key that signed the certificate, names it. */
  async #isRevoked(certificate: X509Certificate, paths: Paths): Promise<boolean> {
    const { issuer, serial } = namesOf(certificate.raw);
    const candidates = (await this.#readLists()).filter((list) => Buffer.compare(list.issuer, issuer) === 0);
    if (!candidates.some((list) => list.revoked.has(serial))) return false;
    const issuers = paths.issuersOf(certificate);
    const lists = candidates.filter((list) => issuers.some(({ publicKey }) => list.verifiesWith(publicKey)));
    // A list of the future is not in force yet, whatever it names.
    const counting = lists.filter(({ isDelta, lastUpdate }) => !isDelta && lastUpdate <= new Date());
    // OpenSSL chooses among several lists. Where one of them needs interpretation the choice is not certain.
    if (!counting.every(({ isPlain }) => isPlain)) return false;
    const newest = counting.toSorted((a, b) => Number(b.lastUpdate) - Number(a.lastUpdate))[0];
    return newest?.revoked.has(serial) ?? false;
  }

  async #readLists(): Promise<readonly SignedList[]> {
    this.#lists ??= Promise.all(
      [this.#material.options.crl ?? []].flat().map(async (list) => await readSignedList(derOf(list))),
    ).then((lists) => lists.filter((list) => list !== null));
    return await this.#lists;
  }
}

/** Every way from a client's certificate to a root, by signatures alone: no name, no extension, no time. */
class Paths {
  readonly #leaf: X509Certificate | undefined;
  readonly #all: readonly X509Certificate[];
  readonly #authorities: readonly X509Certificate[];
  readonly #issuers = new Map<X509Certificate, readonly X509Certificate[]>();
  #signatures = 0;

  constructor(sent: readonly X509Certificate[], authorities: readonly X509Certificate[]) {
    this.#leaf = sent[0];
    this.#all = [...sent, ...authorities];
    this.#authorities = authorities;
  }

  get areTooMany(): boolean {
    return this.#signatures > MAX_SIGNATURES;
  }

  /** Those whose key has signed the certificate. */
  issuersOf(certificate: X509Certificate): readonly X509Certificate[] {
    let issuers = this.#issuers.get(certificate);
    if (issuers === undefined) {
      issuers = this.#all.filter((candidate) => this.#hasSigned(candidate, certificate));
      this.#issuers.set(certificate, issuers);
    }
    return issuers;
  }

  leadToRoot(without: readonly X509Certificate[]): boolean {
    const reached = new Set(this.#leaf === undefined ? [] : [this.#leaf]);
    for (const certificate of reached) {
      if (without.includes(certificate)) continue;
      if (this.#authorities.includes(certificate) && certificate.checkIssued(certificate)) return true;
      for (const issuer of this.issuersOf(certificate)) reached.add(issuer);
    }
    return false;
  }

  #hasSigned(candidate: X509Certificate, certificate: X509Certificate): boolean {
    this.#signatures += 1;
    if (this.areTooMany) return false;
    try {
      return certificate.verify(candidate.publicKey);
    } catch {
      return false;
    }
  }
}

/** The issuer's Name, DER, and the contents of the serial number; nothing that any list holds where it is not DER. */
function namesOf(der: Uint8Array): { readonly issuer: Uint8Array; readonly serial: string } {
  try {
    const body = new DerReader(der).enter(tags.sequence).enter(tags.sequence);
    if (body.nextIs(0xa0)) body.read();
    const serial = latin1(body.contents(tags.integer));
    body.read(tags.sequence);
    return { serial, issuer: body.encodingOf(body.read(tags.sequence)) };
  } catch (error) {
    if (error instanceof DerError) return { serial: '', issuer: new Uint8Array() };
    throw error;
  }
}

/** One list of Node's `crl` option: a PEM block. */
function derOf(list: string | Uint8Array): Buffer {
  const text = typeof list === 'string' ? list : latin1(list);
  return Buffer.from(text.replaceAll(/-----[^-]*-----/g, ''), 'base64');
}
