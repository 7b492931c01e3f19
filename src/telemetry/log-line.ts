// How long a line of the log may be, and what is left out of a longer one.

/** Linux's PIPE_BUF. A pipe takes a line of at most this many bytes whole or not at all, even with several writers. */
const MAX_LINE_BYTES = 4096;

/** Long texts are cut to this many characters, the first length that makes the line fit. */
const CUTS = [1024, 512, 256, 128, 64];

/**
 * A line as it is written. Where it would be too long, the same object with its long texts cut; each cut one says how
 * long it was.
 *
 * @param line one JSON object and its line end
 * @param finish what is done to a line before it is written
 */
export function shortened(line: string, finish: (line: string) => string): string {
  const whole = finish(line);
  if (fits(whole)) return whole;
  const object: unknown = JSON.parse(line);
  for (const cut of CUTS) {
    const shorter = finish(`${JSON.stringify(object, (_, value: unknown) => cutText(value, cut))}\n`);
    if (fits(shorter)) return shorter;
  }
  // Never reached: no line of the gate has that many fields.
  const kept = ['level', 'time', 'pid', 'code', 'id', 'host', 'port', 'msg'];
  return finish(
    `${JSON.stringify(object, (key, value: unknown) =>
      key === '' || kept.includes(key) ? cutText(value, CUTS.at(-1) ?? 0) : undefined,
    )}\n`,
  );
}

/** The same for fields that are kept and not written: a copy whose JSON is as long as a line at most. */
export function shortenedFields<Fields extends object>(fields: Fields): Fields {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- cut texts are texts still
  return JSON.parse(shortened(JSON.stringify(fields), (line) => line)) as Fields;
}

function fits(line: string): boolean {
  return line.length <= MAX_LINE_BYTES / 3 || Buffer.byteLength(line) <= MAX_LINE_BYTES;
}

function cutText(value: unknown, length: number): unknown {
  if (typeof value !== 'string' || value.length <= length) return value;
  return `${value.slice(0, length)}… (${value.length} characters)`;
}
