// A certificate authority for one test: a root, a server certificate for localhost, and client certificates good
// and bad, as PEM files with the permissions that PostgreSQL demands.

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nameHash } from '../../../src/x509/name-hash.ts';
import type { Scope } from '../run/scope.ts';
import { temporaryDirectory } from '../run/temporary.ts';
import type { SubjectAltName } from './extensions.ts';
import { BMP_STRING, name, UTF8_STRING, type AttributeValue, type DistinguishedName } from './names.ts';
import {
  certificate,
  generateKeys,
  pem,
  revocationList,
  type ExtendedKeyUsage,
  type Issuer,
  type KeyType,
} from './x509.ts';

export type { SubjectAltName } from './extensions.ts';
export type { DistinguishedName } from './names.ts';

/** A certificate and its key, as PEM texts and as files. */
export interface Credentials {
  /** The certificate, then the intermediates that lead to the root (without it). */
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  /** Mode 0600. */
  readonly keyFile: string;
  /** The certificate alone. */
  readonly der: Buffer;
  readonly serial: bigint;
  readonly notAfter: Date;
}

export interface IssueOptions {
  /** Default: the CN alone. */
  readonly dn?: DistinguishedName;
  readonly san?: SubjectAltName;
  readonly keyType?: KeyType;
  /** Default for clients: clientAuth; for servers: serverAuth; empty = every purpose. */
  readonly extendedKeyUsage?: readonly ExtendedKeyUsage[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Ran out an hour ago. */
  readonly expired?: boolean;
  /** Begins tomorrow. */
  readonly notYetValid?: boolean;
  /** Signed by its own key. */
  readonly selfSigned?: boolean;
  readonly serial?: bigint;
}

export interface RevocationListOptions {
  readonly revoked?: readonly Pick<Credentials, 'serial'>[];
  readonly thisUpdate?: Date;
  /** Default: in a week. */
  readonly nextUpdate?: Date;
  /** Version 1, as old tools write it: without extensions. */
  readonly bare?: boolean;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A certificate authority; roots come from testAuthority(), the rest from a root's intermediate(). */
export class TestAuthority {
  /** Where its files lie. */
  readonly directory: string;
  /** The authority's own certificate, PEM. */
  readonly cert: string;
  /** The root's file: what belongs into ssl_ca_file and sslrootcert. */
  readonly caFile: string;
  /** Certificates between this authority and the root, this one's included, PEM; '' for a root. */
  readonly chain: string;
  readonly #issuer: Issuer;
  readonly #files: Files;
  #crlNumber = 0n;

  constructor(
    files: Files,
    options: { cn: string; keyType: KeyType; parent?: TestAuthority; ca?: CaValidity },
  ) {
    const { cn, keyType, parent } = options;
    const keys = generateKeys(keyType);
    this.#files = files;
    this.#issuer = { subject: [{ CN: cn }], ...keys };
    const request = {
      subject: this.#issuer.subject,
      publicKey: keys.publicKey,
      serial: randomSerial(),
      ...validity(options.ca ?? {}),
      ca: true,
      extendedKeyUsage: [],
    };
    this.cert = pem(
      'CERTIFICATE',
      certificate(request, parent === undefined ? this.#issuer : parent.#issuer),
    );
    this.chain = parent === undefined ? '' : this.cert + parent.chain;
    this.directory = files.directory;
    this.caFile = parent?.caFile ?? files.write('ca.crt', this.cert);
  }

  /** A server certificate, good for localhost, 127.0.0.1 and ::1. */
  server(options: IssueOptions = {}): Credentials {
    return this.#issue('server', {
      dn: [{ CN: 'localhost' }],
      san: { dns: ['localhost'], ip: ['127.0.0.1', '::1'] },
      extendedKeyUsage: ['serverAuth'],
      ...options,
    });
  }

  /** A client certificate whose common name is `cn`. */
  client(cn: string, options: IssueOptions = {}): Credentials {
    return this.#issue('client', { dn: [{ CN: cn }], extendedKeyUsage: ['clientAuth'], ...options });
  }

  /** An authority whose certificate this one signs. */
  intermediate(
    cn = 'Test Intermediate CA',
    options: { keyType?: KeyType } & Partial<Validity> = {},
  ): TestAuthority {
    return new TestAuthority(this.#files, {
      cn,
      keyType: options.keyType ?? 'ec',
      parent: this,
      ca: options,
    });
  }

  /** This root's certificate as it is issued anew: the same name and key, another time. PEM. */
  renewed(options: Validity): string {
    const { subject, publicKey } = this.#issuer;
    const request = {
      subject,
      publicKey,
      serial: randomSerial(),
      ...options,
      ca: true,
      extendedKeyUsage: [],
    };
    return pem('CERTIFICATE', certificate(request, this.#issuer));
  }

  /** The name under which OpenSSL looks for this authority's first list in a directory. */
  get crlName(): string {
    return `${nameHash(name(this.#issuer.subject))}.r0`;
  }

  /** This authority's revocation list, PEM. */
  crl({ revoked = [], thisUpdate, nextUpdate, bare = false }: RevocationListOptions = {}): string {
    this.#crlNumber += 1n;
    const request = {
      thisUpdate: thisUpdate ?? new Date(Date.now() - HOUR_MS),
      nextUpdate: nextUpdate ?? new Date(Date.now() + 7 * DAY_MS),
      serials: revoked.map(({ serial }) => serial),
      number: this.#crlNumber,
      bare,
    };
    return pem('X509 CRL', revocationList(request, this.#issuer));
  }

  /** Writes a text beside the authority's other files. */
  write(file: string, text: string): string {
    return this.#files.write(file, text);
  }

  #issue(
    kind: string,
    options: IssueOptions & Required<Pick<IssueOptions, 'dn' | 'extendedKeyUsage'>>,
  ): Credentials {
    const keys = generateKeys(options.keyType ?? 'ec');
    const issuer = options.selfSigned === true ? { subject: options.dn, ...keys } : this.#issuer;
    const serial = options.serial ?? randomSerial();
    const period = validity(options);
    const request = {
      subject: options.dn,
      publicKey: keys.publicKey,
      serial,
      ...period,
      ca: false,
      extendedKeyUsage: options.extendedKeyUsage,
      ...(options.san === undefined ? {} : { subjectAltName: options.san }),
    };
    const bytes = certificate(request, issuer);
    const cert = pem('CERTIFICATE', bytes) + (options.selfSigned === true ? '' : this.chain);
    const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' });
    const base = this.#files.fresh(kind);
    return {
      cert,
      key,
      certFile: this.#files.write(`${base}.crt`, cert),
      keyFile: this.#files.write(`${base}.key`, key, 0o600),
      der: bytes,
      serial,
      notAfter: period.notAfter,
    };
  }
}

/** An attribute value of type BMPString. */
export function bmpString(text: string): AttributeValue {
  return { tag: BMP_STRING, bytes: Buffer.from(text, 'utf16le').swap16() };
}

/** An attribute value of type UTF8String with exactly these bytes, well-formed or not. */
export function utf8Bytes(bytes: Uint8Array): AttributeValue {
  return { tag: UTF8_STRING, bytes };
}

/** A root with files of its own, gone when the test is. A second one is a foreign CA. */
export function testAuthority(
  t: Scope,
  { cn = 'Test CA', keyType = 'ec', ca }: { cn?: string; keyType?: KeyType; ca?: CaValidity } = {},
): TestAuthority {
  return new TestAuthority(new Files(temporaryDirectory(t)), {
    cn,
    keyType,
    ...(ca === undefined ? {} : { ca }),
  });
}

interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** What an authority's own certificate may be told of its validity. */
type CaValidity = Pick<IssueOptions, 'notBefore' | 'notAfter' | 'expired' | 'notYetValid'>;

function validity(options: CaValidity): Validity {
  const now = Date.now();
  const notBefore = options.notYetValid === true ? now + DAY_MS : now - 2 * DAY_MS;
  const notAfter = options.expired === true ? now - HOUR_MS : now + 365 * DAY_MS;
  return {
    notBefore: options.notBefore ?? new Date(notBefore),
    notAfter: options.notAfter ?? new Date(notAfter),
  };
}

function randomSerial(): bigint {
  return BigInt(`0x10${randomBytes(15).toString('hex')}`);
}

/** An authority's directory, shared with its intermediates. */
class Files {
  readonly directory: string;
  #count = 0;

  constructor(directory: string) {
    this.directory = directory;
  }

  fresh(kind: string): string {
    this.#count += 1;
    return `${kind}-${this.#count}`;
  }

  write(file: string, text: string, mode = 0o644): string {
    const path = join(this.directory, file);
    writeFileSync(path, text, { mode });
    return path;
  }
}
