// tar and ar archives, written the same way each time: one owner, one time, entries in the order given. Two builds of one
// commit are then equal byte by byte, whichever tools the machine has.

/** One entry of a tar archive: a file with its bytes, a folder, or a symbolic link. */
export interface Entry {
  /** Relative, without `./`; a folder's ends in `/`. */
  readonly path: string;
  readonly mode: number;
  /** A file's content; empty for the others. */
  readonly data?: Uint8Array;
  /** What a symbolic link points to. */
  readonly linkTo?: string;
}

const BLOCK = 512;
const MAX_NAME = 100;
const MAX_PREFIX = 155;

/**
 * A POSIX (ustar) archive owned by root.
 * @param seconds the time of every entry, since 1970
 * @param prefix stands before every path: `./` as dpkg has it, `package/` as npm has it
 * @throws Error for a path that the format cannot hold
 */
export function tar(entries: readonly Entry[], seconds: number, prefix: string): Buffer {
  const blocks = entries.flatMap((entry) => {
    const data = Buffer.from(entry.data ?? []);
    return [header(entry, data.length, seconds, prefix), data, Buffer.alloc(padding(data.length, BLOCK))];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

function header({ path, mode, linkTo }: Entry, size: number, seconds: number, prefix: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  const [name, folder] = splitName(`${prefix}${path}`);
  block.write(name, 0);
  block.write(octal(mode, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(seconds, 12), 136);
  block.write(linkTo !== undefined ? '2' : path.endsWith('/') || path === '' ? '5' : '0', 156);
  block.write(linkTo ?? '', 157);
  block.write('ustar\x0000', 257);
  block.write('root', 265);
  block.write('root', 297);
  block.write(folder, 345);
  // The checksum is taken with blanks in its own place.
  block.write(' '.repeat(8), 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** A long path is kept in two fields, parted at a slash. */
function splitName(path: string): [name: string, prefix: string] {
  if (Buffer.byteLength(path) <= MAX_NAME) return [path, ''];
  const cut = path.indexOf('/', path.length - MAX_NAME - 1);
  const [folder, name] = [path.slice(0, cut), path.slice(cut + 1)];
  if (cut < 0 || name === '' || Buffer.byteLength(folder) > MAX_PREFIX)
    throw new Error(`${path} is too long for a tar archive`);
  return [name, folder];
}

function octal(value: number, width: number): string {
  return `${Math.trunc(value)
    .toString(8)
    .padStart(width - 1, '0')}\0`;
}

function padding(size: number, to: number): number {
  return (to - (size % to)) % to;
}

/** An ar archive as dpkg reads it: plain short names, owned by root. */
export function ar(
  members: readonly { readonly name: string; readonly data: Uint8Array }[],
  seconds: number,
): Buffer {
  const parts = members.flatMap(({ name, data }) => [
    Buffer.from(
      `${name.padEnd(16)}${String(seconds).padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(data.length).padEnd(10)}\`\n`,
    ),
    Buffer.from(data),
    Buffer.from('\n'.repeat(padding(data.length, 2))),
  ]);
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts]);
}
