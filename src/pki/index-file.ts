// ca.index: every certificate that the authority has issued, one JSON object a line. A certificate whose files have been
// replaced is still good, and can only be revoked because it stands here.

/** A certificate that was issued. */
export interface IndexEntry {
  readonly serial: bigint;
  /** Of its files: the NAME of NAME.crt. */
  readonly name: string;
}

/** The entries of an index. Throws Error, with the line's number, where one is not what formatIndex writes. */
export function parseIndex(text: string): readonly IndexEntry[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line, index) => {
    const entry = parseEntry(line);
    if (entry === null) throw new Error(`line ${index + 1} is not an entry`);
    return entry;
  });
}

function parseEntry(line: string): IndexEntry | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !('serial' in value) || !('name' in value))
      return null;
    const { serial, name } = value;
    if (typeof serial !== 'string' || !/^\d+$/.test(serial) || typeof name !== 'string') return null;
    return { serial: BigInt(serial), name };
  } catch {
    return null;
  }
}

export function formatIndex(entries: readonly IndexEntry[]): string {
  return entries.map(({ serial, name }) => `${JSON.stringify({ serial: String(serial), name })}\n`).join('');
}
