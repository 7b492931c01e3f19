// The one reader of PEM. It follows OpenSSL 3's PEM_read_bio_ex line by line, because PostgreSQL's files are written
// for that reader: what OpenSSL loads is loaded, and what it refuses is refused in its words. Node never reads a file
// of ours as PEM: it gets each block re-encoded.

import { runToEnd } from '../base/steps.ts';

/** One block between its BEGIN and END lines, decoded. */
export interface PemBlock {
  /** `CERTIFICATE`, `X509 CRL`, `DH PARAMETERS`, … */
  readonly label: string;
  /** Lines before the block's blank line (RFC 1421), each with its newline; mostly ''. */
  readonly header: string;
  readonly der: Buffer;
  /** Line number of BEGIN, from 1. */
  readonly line: number;
}

/** The file is refused. The message is OpenSSL's reason, never a byte of the file. */
export class PemError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'PemError';
  }

  /** OpenSSL's reader fails and raises no error of its own: at an empty block, for one. */
  get isUnnamed(): boolean {
    return this.message === UNNAMED;
  }
}

/** What most of OpenSSL's callers then say. */
const UNNAMED = 'PEM lib';

/** OpenSSL reads lines into a buffer of 255 bytes with fgets: a longer line is several. */
const MAX_CHUNK = 254;

const BEGIN = '-----BEGIN ';
const END = '-----END ';
const TAIL = '-----';

/** A file's lines as OpenSSL's file BIO gives them. */
class Lines {
  readonly #text: string;
  #position = 0;
  #line = 0;
  #isInsideLine = false;

  constructor(bytes: Uint8Array) {
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  }

  /** Number of the line that next() gave last, from 1. */
  get line(): number {
    return this.#line;
  }

  get atEnd(): boolean {
    return this.#position >= this.#text.length;
  }

  /** The next line, or part of a long one, with its newline; null at the end, and at a line that begins with NUL. */
  next(): string | null {
    if (this.atEnd) return null;
    const newline = this.#text.indexOf('\n', this.#position);
    const lineEnd = newline === -1 ? this.#text.length : newline + 1;
    const end = Math.min(lineEnd, this.#position + MAX_CHUNK);
    const chunk = this.#text.slice(this.#position, end);
    this.#position = end;
    if (!this.#isInsideLine) this.#line += 1;
    this.#isInsideLine = !chunk.endsWith('\n');
    // fgets returns a C string: the rest of a line after a NUL is not seen.
    const nul = chunk.indexOf('\0');
    const seen = nul === -1 ? chunk : chunk.slice(0, nul);
    return seen === '' ? null : seen;
  }
}

/** Without what OpenSSL strips from a line's end: blanks, control bytes and, its `char` being signed, 0x80 to 0xff. */
function stripped(line: string): string {
  let end = line.length;
  while (end > 0 && !isKept(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(0, end);
}

function isKept(code: number): boolean {
  return code > 0x20 && code < 0x80;
}

const BYTE_ORDER_MARK = '\xef\xbb\xbf';

function withoutByteOrderMark(line: string): string {
  return line.length > 3 && line.startsWith(BYTE_ORDER_MARK) ? line.slice(3) : line;
}

/**
 * Every block of a file up to its end, in order, whatever their labels.
 *
 * Text around blocks is passed over. The walk ends where OpenSSL sees no further BEGIN line.
 * Throws PemError at the block that OpenSSL refuses: the blocks before it have been given by then.
 */
export function* readPem(bytes: Uint8Array): Generator<PemBlock, void> {
  for (const block of readPemInSteps(bytes)) {
    if (block !== undefined) yield block;
  }
}

/** The same as work that may be interrupted wherever it gives undefined: one block may have 50 MB. */
export function* readPemInSteps(bytes: Uint8Array): Generator<PemBlock | undefined, void> {
  const lines = new Lines(bytes);
  for (let block = yield* nextBlock(lines); block !== null; block = yield* nextBlock(lines)) yield block;
}

/** The blocks of a file that OpenSSL can read, whatever else is in it: this is how its decoders look for a key. */
export function* readablePem(bytes: Uint8Array): Generator<PemBlock, void> {
  const lines = new Lines(bytes);
  while (!lines.atEnd) {
    try {
      const block = runToEnd(nextBlock(lines));
      if (block !== null) yield block;
    } catch (error) {
      if (!(error instanceof PemError)) throw error;
    }
  }
}

/** PEM_read_bio_ex(): null when there is no further BEGIN line. */
function* nextBlock(lines: Lines): Generator<undefined, PemBlock | null> {
  const label = nextLabel(lines);
  if (label === null) return null;
  const { line } = lines;
  const { header, data } = yield* readBody(lines, label);
  yield;
  const der = decodeBase64(data);
  if (der.length === 0) throw new PemError(UNNAMED);
  return { label, header, der, line };
}

/** get_name(): on to the next BEGIN line; its label, or null when there is none. */
function nextLabel(lines: Lines): string | null {
  for (let isFirst = true; ; isFirst = false) {
    const chunk = lines.next();
    if (chunk === null) return null;
    const line = stripped(isFirst ? withoutByteOrderMark(chunk) : chunk);
    const fits = line.length >= BEGIN.length + TAIL.length;
    if (fits && line.startsWith(BEGIN) && line.endsWith(TAIL)) {
      return line.slice(BEGIN.length, -TAIL.length);
    }
  }
}

/** Lines that are read before other work gets its turn. */
const LINES_A_STEP = 500;

/** Longest line of a block that has a header, by RFC 1421; a shorter one must be the last. */
const HEADED_LINE_LENGTH = 64;

/** get_header_and_data(): everything up to the END line that fits the label. */
function* readBody(
  lines: Lines,
  label: string,
): Generator<undefined, { readonly header: string; readonly data: string }> {
  const header: string[] = [];
  const data: string[] = [];
  let state: 'maybe-header' | 'header' | 'data' = 'maybe-header';
  let isPartial = false;
  let isOver = false;
  for (;;) {
    const chunk = lines.next();
    if (chunk === null) throw new PemError('bad end line');
    if (lines.line % LINES_A_STEP === 0) yield;
    const continuesLine = isPartial;
    isPartial = chunk.length === MAX_CHUNK && !chunk.endsWith('\n');
    if (state === 'maybe-header' && chunk.includes(':')) state = 'header';
    const line = stripped(chunk);
    if (line === '') {
      if (continuesLine) continue;
      if (state === 'data') throw new PemError('bad end line');
      state = 'data';
    } else if (line.startsWith(END)) {
      if (line !== `${END}${label}${TAIL}`) throw new PemError('bad end line');
      // Without a blank line there is no header, unless a line with a colon began one: then there is no data.
      if (state === 'maybe-header') return { header: '', data: header.join('') };
      return { header: header.map((each) => `${each}\n`).join(''), data: data.join('') };
    } else if (isOver) {
      throw new PemError('bad end line');
    } else {
      (state === 'data' ? data : header).push(line);
      if (state !== 'data') continue;
      if (line.length > HEADED_LINE_LENGTH) throw new PemError(UNNAMED);
      isOver = line.length < HEADED_LINE_LENGTH;
    }
  }
}

/** EVP_DecodeUpdate and EVP_DecodeFinal: blanks are passed over, and a `-` ends the data. */
function decodeBase64(text: string): Buffer {
  const dash = text.indexOf('-');
  const data = (dash === -1 ? text : text.slice(0, dash)).replaceAll(/[ \t\r]/g, '');
  // SECURITY: Node's own decoder skips what is not base64. Two readers would then see different bytes.
  if (data.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(data)) throw new PemError('bad base64 decode');
  return Buffer.from(data, 'base64');
}

/** Line numbers of what looks like a block's BEGIN to a person, and is not where a block begins for OpenSSL. */
export function overlookedBlocks(bytes: Uint8Array, blocks: readonly PemBlock[]): number[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const read = new Map<number, number>();
  for (const { line } of blocks) read.set(line, (read.get(line) ?? 0) + 1);
  const overlooked: number[] = [];
  let line = 1;
  let position = 0;
  for (const { index } of text.matchAll(/-----BEGIN [^-\n]*-----/g)) {
    for (let at = text.indexOf('\n', position); at !== -1 && at < index; at = text.indexOf('\n', position)) {
      line += 1;
      position = at + 1;
    }
    const left = read.get(line) ?? 0;
    if (left === 0) overlooked.push(line);
    else read.set(line, left - 1);
  }
  return overlooked;
}

/**
 * PEM from DER, as Node takes it.
 * @param header of the block, each line with its newline
 */
export function encodePem(label: string, der: Uint8Array, header = ''): string {
  const data = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64');
  const lines = data.replaceAll(/.{1,64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${header === '' ? '' : `${header}\n`}${lines}-----END ${label}-----\n`;
}
