// Odd parts of client chains and revocation lists: each by itself, then many together, always the same ones for the
// same seed.

const DAY_MS = 86_400_000;
const now = Date.now();

/** A moment some days from the start of this process. */
export function fromNow(days: number): Date {
  return new Date(now + days * DAY_MS);
}

/** Where the client's certificate says that lists are to be found. */
export const POINT = 'http://lists.example/users';

const ROOTS = [
  'plain',
  'version 1',
  'without basicConstraints',
  'without keyUsage',
  'without key identifiers',
  'no CA',
  'pathlen 0',
  'serverAuth only',
  'without cRLSign',
  'RSA-1024',
  'expired',
  'not in the file',
] as const;
const MIDDLES = [
  'plain',
  'version 1',
  'without basicConstraints',
  'no CA',
  'pathlen 0',
  'serverAuth only',
  'clientAuth only',
  'without keyCertSign',
  'without key identifiers',
  'names permitted',
  'names not permitted',
  'names excluded',
  'unknown critical extension',
  'RSA-1024',
  'expired',
  'not yet valid',
] as const;
const PLACES = [
  'sent',
  'in the file',
  'missing',
  'sent in reverse',
  'sent with strangers',
  'sent with the root',
] as const;
const LEAVES = [
  'plain',
  'version 1',
  'without extendedKeyUsage',
  'serverAuth only',
  'any purpose',
  'without digitalSignature',
  'keyUsage keyEncipherment alone',
  'a CA',
  'without authority key',
  'wrong authority key',
  'authority by serial',
  'wrong authority by serial',
  'unknown extension',
  'unknown critical extension',
  'RSA-1024',
  'signed by another key',
  'self-signed',
  'expired',
  'not yet valid',
] as const;
const NEIGHBOURS = [
  'none',
  'a root of the same name before',
  'a root of the same name after',
  'the expired root of the same key before',
  'the expired root of the same key after',
  'the root twice',
  'the root signed across, sent',
  'the root signed across, in the file',
  'an expired middle of the same key',
  'a middle by another root',
] as const;
const LISTS = [
  'off',
  'good',
  'leaf revoked',
  'leaf revoked with a reason',
  'middle revoked',
  'root revoked',
  'leaf removed from the list',
  'of the root missing',
  'of the issuer missing',
  'outdated',
  'outdated beside current',
  'outdated revoking beside current',
  'future',
  'future beside current',
  'without nextUpdate',
  'by another key',
  'by another key, revoking, beside a good one',
  'newer without the leaf',
  'newer with the leaf',
  'without authority key',
  'wrong authority key',
  'scope users',
  'scope authorities',
  'scope attributes',
  'scope some-reasons',
  'scope indirect',
  'scope of another point',
  'scope of the leaf’s point',
  'delta alone',
  'delta revoking beside its base',
  'delta removing beside its base',
  'unknown critical extension',
  'unknown critical extension of an entry',
] as const;
const CIPHERS = [
  'HIGH:MEDIUM:+3DES:!aNULL',
  'ALL:@SECLEVEL=0',
  'HIGH:@SECLEVEL=1',
  'HIGH:@SECLEVEL=3',
] as const;
const DEPTHS = [0, 1, 2, 3, 12] as const;

export interface Parts {
  readonly root: (typeof ROOTS)[number];
  readonly depth: (typeof DEPTHS)[number];
  /** Of the middle certificate that is next to the root. */
  readonly middle: (typeof MIDDLES)[number];
  readonly place: (typeof PLACES)[number];
  readonly leaf: (typeof LEAVES)[number];
  readonly neighbour: (typeof NEIGHBOURS)[number];
  readonly lists: (typeof LISTS)[number];
  readonly ciphers: (typeof CIPHERS)[number];
}

/** Nothing odd. */
export const PLAIN: Parts = {
  root: 'plain',
  depth: 0,
  middle: 'plain',
  place: 'sent',
  leaf: 'plain',
  neighbour: 'none',
  lists: 'off',
  ciphers: 'HIGH:MEDIUM:+3DES:!aNULL',
};

const AXES = {
  root: ROOTS,
  depth: DEPTHS,
  middle: MIDDLES,
  place: PLACES,
  leaf: LEAVES,
  neighbour: NEIGHBOURS,
  lists: LISTS,
  ciphers: CIPHERS,
} as const;

/** Every odd part by itself, without and with a middle certificate and lists; and weak keys at every security level. */
export function eachOddPart(): Parts[] {
  const bases = [PLAIN, { ...PLAIN, depth: 1, lists: 'good' }, { ...PLAIN, depth: 2 }] as const;
  const single = bases.flatMap((base) =>
    Object.entries(AXES).flatMap(([axis, options]) =>
      options.map((option): Parts => Object.assign({ ...base }, { [axis]: option })),
    ),
  );
  const weak = CIPHERS.flatMap((ciphers): Parts[] => [
    { ...PLAIN, ciphers, leaf: 'RSA-1024' },
    { ...PLAIN, ciphers, root: 'RSA-1024' },
    { ...PLAIN, ciphers, depth: 1, middle: 'RSA-1024' },
  ]);
  return [...single, ...weak];
}

/** Odd parts together. */
export function randomParts(count: number, seed: number): Parts[] {
  const random = mulberry(seed);
  const pick = <T>(options: readonly T[], plain: T, chance: number): T =>
    random() < chance ? (options[Math.floor(random() * options.length)] ?? plain) : plain;
  return Array.from({ length: count }, () => ({
    root: pick(ROOTS, 'plain', 0.25),
    depth: pick(DEPTHS, 1, 0.7),
    middle: pick(MIDDLES, 'plain', 0.3),
    place: pick(PLACES, 'sent', 0.4),
    leaf: pick(LEAVES, 'plain', 0.25),
    neighbour: pick(NEIGHBOURS, 'none', 0.5),
    lists: pick(LISTS, 'good', 0.7),
    ciphers: pick(CIPHERS, 'HIGH:MEDIUM:+3DES:!aNULL', 0.2),
  }));
}

/** Small, fast and the same everywhere. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
