// A TLS 1.3 client that names one host in its first ClientHello and another in the second, which it has the server ask for
// by sending no key share (RFC 8446 §4.1.4). No library does that. It verifies nothing, and ends with its Finished.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
} from 'node:crypto';
import { connect } from 'node:net';
import { ByteChannel, connected } from './byte-channel.ts';
import { record, recordType } from './tls-bytes.ts';
import { atEnd, type Scope } from '../run/scope.ts';

const X25519 = 0x001d;
const TAG_BYTES = 16;
/** DER in front of the 32 bytes of a public key. */
const SPKI = Buffer.from('302a300506032b656e032100', 'hex');

const u8 = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([bytes.length]), bytes]);
const u16 = (bytes: Buffer): Buffer => Buffer.concat([number(bytes.length), bytes]);
const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
const hmac = (key: Buffer, bytes: Buffer): Buffer => createHmac('sha256', key).update(bytes).digest();

function number(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

/** HKDF-Expand-Label of at most 32 bytes. */
function expand(secret: Buffer, label: string, context: Buffer, length: number): Buffer {
  const info = Buffer.concat([number(length), u8(Buffer.from(`tls13 ${label}`)), u8(context)]);
  return hmac(secret, Buffer.concat([info, Buffer.from([1])])).subarray(0, length);
}

function message(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, 0]), u16(body)]);
}

interface Offer {
  readonly random: Buffer;
  readonly servername: string;
  /** The client's public key; null = none yet. */
  readonly share: Buffer | null;
}

function clientHello({ random, servername, share }: Offer): Buffer {
  const extension = (type: number, body: Buffer): Buffer => Buffer.concat([number(type), u16(body)]);
  const name = Buffer.concat([Buffer.from([0]), u16(Buffer.from(servername))]);
  const shares = share === null ? Buffer.alloc(0) : Buffer.concat([number(X25519), u16(share)]);
  const extensions = Buffer.concat([
    extension(0, u16(name)),
    extension(10, u16(number(X25519))),
    extension(13, u16(Buffer.concat([0x0403, 0x0804, 0x0807].map(number)))),
    extension(43, u8(number(0x0304))),
    extension(51, u16(shares)),
  ]);
  const ciphers = number(0x1301);
  const start = Buffer.concat([
    number(0x0303),
    random,
    u8(Buffer.alloc(0)),
    u16(ciphers),
    u8(Buffer.from([0])),
  ]);
  return message(1, Buffer.concat([start, u16(extensions)]));
}

/** One direction of the handshake's encryption. */
class Keys {
  readonly #key: Buffer;
  readonly #iv: Buffer;
  readonly finished: Buffer;
  #count = 0;

  constructor(secret: Buffer) {
    this.#key = expand(secret, 'key', Buffer.alloc(0), 16);
    this.#iv = expand(secret, 'iv', Buffer.alloc(0), 12);
    this.finished = expand(secret, 'finished', Buffer.alloc(0), 32);
  }

  /** The plaintext of a record, with its inner type as the last byte. */
  open(header: Buffer, payload: Buffer): Buffer {
    const opened = createDecipheriv('aes-128-gcm', this.#key, this.#nonce());
    opened.setAAD(header);
    opened.setAuthTag(payload.subarray(-TAG_BYTES));
    return Buffer.concat([opened.update(payload.subarray(0, -TAG_BYTES)), opened.final()]);
  }

  seal(inner: Buffer): Buffer {
    const length = inner.length + TAG_BYTES;
    const header = Buffer.concat([Buffer.from([recordType.applicationData]), number(0x0303), number(length)]);
    const sealed = createCipheriv('aes-128-gcm', this.#key, this.#nonce());
    sealed.setAAD(header);
    return Buffer.concat([header, sealed.update(inner), sealed.final(), sealed.getAuthTag()]);
  }

  #nonce(): Buffer {
    const nonce = Buffer.from(this.#iv);
    nonce.writeUInt8((nonce.at(-1) ?? 0) ^ this.#count, nonce.length - 1);
    this.#count += 1;
    return nonce;
  }
}

async function readRecord(channel: ByteChannel): Promise<{ header: Buffer; payload: Buffer }> {
  const header = await channel.read(5);
  return { header, payload: await channel.read(header.readUInt16BE(3)) };
}

/** The next record that is not the change_cipher_spec of old times. */
async function nextRecord(channel: ByteChannel): Promise<{ header: Buffer; payload: Buffer }> {
  for (;;) {
    const read = await readRecord(channel);
    if (read.header[0] !== recordType.changeCipherSpec) return read;
  }
}

/** The server's key share in its ServerHello. */
function shareOf(serverHello: Buffer): Buffer {
  const at = serverHello.indexOf(Buffer.concat([number(51), number(36), number(X25519), number(32)]));
  if (at === -1) throw new Error('the ServerHello has no key share');
  return serverHello.subarray(at + 8, at + 40);
}

/**
 * Runs the handshake up to the client's Finished.
 *
 * @param names the host of the first ClientHello, and that of the second
 * @throws Error where the server ends it before
 */
export async function shakeHandsTwice(
  t: Scope,
  port: number,
  names: readonly [string, string],
): Promise<ByteChannel> {
  const socket = connect({ port, host: '127.0.0.1' });
  atEnd(t, () => socket.destroy());
  await connected(socket);
  const channel = new ByteChannel(socket);
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const share = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  const random = randomBytes(32);
  const first = clientHello({ random, servername: names[0], share: null });
  await channel.send(record(recordType.handshake, first));
  const { payload: retry } = await nextRecord(channel);
  const second = clientHello({ random, servername: names[1], share });
  await channel.send(record(recordType.handshake, second, 0x0303));
  const { payload: serverHello } = await nextRecord(channel);
  if (serverHello[0] !== 2) throw new Error(`no ServerHello: ${serverHello.toString('hex')}`);
  const theirs = createPublicKey({
    key: Buffer.concat([SPKI, shareOf(serverHello)]),
    format: 'der',
    type: 'spki',
  });
  // A hash stands for the first ClientHello (RFC 8446 §4.4.1).
  let transcript = Buffer.concat([Buffer.from([254, 0, 0, 32]), sha256(first), retry, second, serverHello]);
  const zeros = Buffer.alloc(32);
  const early = hmac(zeros, zeros);
  const shared = diffieHellman({ privateKey, publicKey: theirs });
  const secret = hmac(expand(early, 'derived', sha256(Buffer.alloc(0)), 32), shared);
  const server = new Keys(expand(secret, 's hs traffic', sha256(transcript), 32));
  const client = new Keys(expand(secret, 'c hs traffic', sha256(transcript), 32));
  for (let isDone = false; !isDone;) {
    const { header, payload } = await nextRecord(channel);
    const plain = server.open(header, payload);
    transcript = Buffer.concat([transcript, plain.subarray(0, -1)]);
    isDone = holdsFinished(plain.subarray(0, -1));
  }
  const finished = message(20, hmac(client.finished, sha256(transcript)));
  await channel.send(client.seal(Buffer.concat([finished, Buffer.from([recordType.handshake])])));
  return channel;
}

function holdsFinished(messages: Buffer): boolean {
  for (let at = 0; at + 4 <= messages.length; at += 4 + messages.readUIntBE(at + 1, 3)) {
    if (messages[at] === 20) return true;
  }
  return false;
}
