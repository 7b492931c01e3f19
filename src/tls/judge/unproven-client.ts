// The bytes of a TLS 1.2 client that presents a certificate chain and then falls silent. TLS 1.2 sends a client's
// certificate in clear and before the proof of its key, so nobody needs the key to present it.

const VERSION = u16(0x0303);
const RECORD_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const CERTIFICATE = 11;
/** Longest contents of one TLS record. */
const MAX_RECORD_BYTES = 16_384;

/**
 * Suites for every kind of server key, RSA key exchange first: there the server signs nothing. The later ones satisfy
 * the security levels that forbid the earlier.
 */
const suites = [0x009c, 0x009d, 0xc02b, 0xc02c, 0xcca9, 0xc02f, 0xc030, 0xcca8];
/** P-256, P-384, P-521, X25519, X448, and the curves of rarer server keys: secp256k1 and three of Brainpool. */
const groups = [23, 24, 25, 29, 30, 22, 26, 27, 28];
/** Every algorithm that a server's own certificate may be signed with, or sign with. */
const signatures = [
  0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x081a, 0x081b, 0x081c, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a,
  0x080b, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201,
];

/**
 * @param chain DER, the client's own certificate first, then what it sends beside it, in that order
 * @returns a ClientHello with a server name, so that the server asks for the SecureContext of that name, and the
 *   Certificate message
 */
export function unprovenClient(chain: readonly Uint8Array[]): Buffer {
  return Buffer.concat([
    ...records(message(CLIENT_HELLO, clientHello())),
    ...records(message(CERTIFICATE, vector(3, ...chain.map((der) => vector(3, der))))),
  ]);
}

function clientHello(): Buffer {
  return Buffer.concat([
    VERSION,
    // No secret and no freshness is needed: the handshake never ends.
    Buffer.alloc(32),
    vector(1),
    vector(2, ...suites.map(u16)),
    vector(1, Buffer.from([0])),
    vector(
      2,
      extension(0, vector(2, Buffer.from([0]), vector(2, Buffer.from('judged')))),
      extension(10, vector(2, ...groups.map(u16))),
      extension(11, vector(1, Buffer.from([0]))),
      extension(13, vector(2, ...signatures.map(u16))),
    ),
  ]);
}

function extension(type: number, contents: Uint8Array): Buffer {
  return Buffer.concat([u16(type), vector(2, contents)]);
}

function message(type: number, contents: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([type]), vector(3, contents)]);
}

function* records(contents: Buffer): Generator<Buffer> {
  for (let start = 0; start < contents.length; start += MAX_RECORD_BYTES) {
    const part = contents.subarray(start, start + MAX_RECORD_BYTES);
    yield Buffer.concat([Buffer.from([RECORD_HANDSHAKE]), VERSION, vector(2, part)]);
  }
}

/** Contents after their length, which takes `lengthBytes`. */
function vector(lengthBytes: number, ...parts: readonly Uint8Array[]): Buffer {
  const contents = Buffer.concat(parts);
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(contents.length, 0, lengthBytes);
  return Buffer.concat([length, contents]);
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
