// The PEM blocks of a file, as OpenSSL finds them: text around them is allowed, and ignored.

/** One block between BEGIN and END lines. */
export interface PemBlock {
  /** `CERTIFICATE`, `X509 CRL`, `DH PARAMETERS`, … */
  readonly label: string;
  /** The block with its BEGIN and END lines. */
  readonly text: string;
}

/** Every block of one of the labels, in the file's order. */
export function pemBlocks(text: string, labels: readonly string[]): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (const match of text.matchAll(/^-----BEGIN ([A-Z0-9 ]+)-----[^]*?^-----END \1-----/gm)) {
    const label = match[1] ?? '';
    if (labels.includes(label)) blocks.push({ label, text: `${match[0]}\n` });
  }
  return blocks;
}

/** Whether a block of one of the labels begins and never ends: what comes behind it may be missing unnoticed. */
export function hasUnfinishedBlock(text: string, labels: readonly string[]): boolean {
  const begun = [...text.matchAll(/^-----BEGIN ([A-Z0-9 ]+)-----/gm)];
  return begun.filter(([, label = '']) => labels.includes(label)).length !== pemBlocks(text, labels).length;
}

/** The bytes between the lines of a block without headers. */
export function pemBytes(block: PemBlock): Buffer {
  return Buffer.from(block.text.split('\n').slice(1, -2).join(''), 'base64');
}

/** What OpenSSL reads as a certificate in a chain or a bundle. */
export const certificateLabels: readonly string[] = [
  'CERTIFICATE',
  'X509 CERTIFICATE',
  'TRUSTED CERTIFICATE',
];
