// The reading of DER: certificates and revocation lists arrive as bytes from strangers, and their names decide who
// gets in. Strict (one encoding for one value), bounded by its input, and throwing nothing but DerError.

/** Universal tags met in certificates, as their identifier octets (X.690 §8.1.2). */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  t61String: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  iso646String: 0x1a,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The bytes are no DER, or not of the type that was asked for. The message names what is wrong, never the bytes. */
export class DerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DerError';
  }
}

/** One element: offsets into the reader's bytes. */
export interface DerElement {
  /** The identifier octet, class and constructed bit included. */
  readonly tag: number;
  /** Where the identifier octet stands. */
  readonly start: number;
  /** Where the contents begin. */
  readonly contentStart: number;
  /** After the contents. */
  readonly end: number;
}

/** Walks the elements of one level; `enter` goes a level down. Every step throws DerError on bytes that are no DER. */
export class DerReader {
  readonly bytes: Uint8Array;
  #position: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.#position = start;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.#position === this.#end;
  }

  /** Whether the next element has this identifier octet; false at the end. */
  nextIs(tag: number): boolean {
    return this.#position < this.#end && this.bytes[this.#position] === tag;
  }

  /** The next element; with `tag`, only of that identifier octet. */
  read(tag?: number): DerElement {
    const start = this.#position;
    const identifier = this.#octet();
    if (tag !== undefined && identifier !== tag) throw new DerError('unexpected tag');
    // Numbers above 30 occur in nothing that is read here.
    if ((identifier & 0x1f) === 0x1f) throw new DerError('multi-byte tag');
    const length = this.#length();
    const contentStart = this.#position;
    // SECURITY: no element reaches beyond the one that holds it.
    if (length > this.#end - contentStart) throw new DerError('element is longer than what holds it');
    this.#position = contentStart + length;
    return { tag: identifier, start, contentStart, end: this.#position };
  }

  /** A reader of the next element's contents; with `tag`, only of that identifier octet. */
  enter(tag: number): DerReader {
    return this.inside(this.read(tag));
  }

  /** A reader of the contents of an element of this reader's bytes. */
  inside(element: DerElement): DerReader {
    return new DerReader(this.bytes, element.contentStart, element.end);
  }

  /** The contents of the next element, not copied. */
  contents(tag: number): Uint8Array {
    return this.contentsOf(this.read(tag));
  }

  contentsOf(element: DerElement): Uint8Array {
    return this.bytes.subarray(element.contentStart, element.end);
  }

  /** The element with its header, not copied. */
  encodingOf(element: DerElement): Uint8Array {
    return this.bytes.subarray(element.start, element.end);
  }

  /** SECURITY: what follows unread is refused, so that no two readers can see different things in the same bytes. */
  finish(): void {
    if (!this.atEnd) throw new DerError('trailing bytes');
  }

  #octet(): number {
    const octet = this.#position < this.#end ? this.bytes[this.#position] : undefined;
    if (octet === undefined) throw new DerError('truncated');
    this.#position += 1;
    return octet;
  }

  /** Definite and shortest form only (X.690 §10.1). */
  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0) throw new DerError('indefinite length');
    if (count > 4) throw new DerError('element is longer than what holds it');
    let length = 0;
    for (let read = 0; read < count; read += 1) length = length * 0x100 + this.#octet();
    const shortest = length < 0x80 ? 0 : Math.ceil((32 - Math.clz32(length)) / 8);
    if (count !== shortest) throw new DerError('length is not in its shortest form');
    return length;
  }
}

/**
 * The value of an INTEGER's contents, two's complement.
 * @param maxBytes limit on the contents, because the cost of a big number's decimal form grows with its square.
 */
export function decodeInteger(contents: Uint8Array, maxBytes: number): bigint {
  const [first, second = 0] = contents;
  if (first === undefined) throw new DerError('empty integer');
  if (contents.length > maxBytes) throw new DerError('integer is too long');
  const padded =
    contents.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
  if (padded) throw new DerError('integer is not in its shortest form');
  const magnitude = BigInt(`0x${hex(contents)}`);
  return first < 0x80 ? magnitude : magnitude - (1n << BigInt(contents.length * 8));
}

/** Contents of an OBJECT IDENTIFIER in dotted form; arcs of any size. */
export function decodeOid(contents: Uint8Array): string {
  const last = contents.at(-1);
  if (last === undefined || last >= 0x80) throw new DerError('malformed object identifier');
  const arcs: string[] = [];
  let arcStart = 0;
  for (let index = 0; index < contents.length; index += 1) {
    if (index === arcStart && contents[index] === 0x80) throw new DerError('malformed object identifier');
    if ((contents[index] ?? 0) >= 0x80) continue;
    const arc = base128(contents.subarray(arcStart, index + 1));
    if (arcStart === 0) {
      const top = arc < 40n ? 0n : arc < 80n ? 1n : 2n;
      arcs.push(`${top}`, `${arc - top * 40n}`);
    } else {
      arcs.push(`${arc}`);
    }
    arcStart = index + 1;
  }
  return arcs.join('.');
}

/** Longest arc that is worth reading: 64 octets, 448 bits. UUID-based arcs have 128. */
const MAX_ARC_BYTES = 64;

function base128(octets: Uint8Array): bigint {
  if (octets.length > MAX_ARC_BYTES) throw new DerError('object identifier is too long');
  let value = 0n;
  for (const octet of octets) value = (value << 7n) | BigInt(octet & 0x7f);
  return value;
}

/** A UTCTime or GeneralizedTime in the forms that RFC 5280 §4.1.2.5 allows: to the second, in UTC. */
export function decodeTime(reader: DerReader): Date {
  const element = reader.read();
  const text = Buffer.from(reader.contentsOf(element)).toString('latin1');
  const match =
    element.tag === tags.utcTime
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
      : element.tag === tags.generalizedTime
        ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
        : null;
  if (match === null) throw new DerError('malformed time');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const fullYear = element.tag === tags.generalizedTime ? year : year < 50 ? 2000 + year : 1900 + year;
  const date = new Date(0);
  date.setUTCFullYear(fullYear, month - 1, day);
  date.setUTCHours(hour, minute, second);
  // JavaScript lets the 31st of April run over into May.
  const exact =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  if (!exact) throw new DerError('malformed time');
  return date;
}

/** Lower-case hex. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
