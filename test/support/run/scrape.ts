// A Prometheus scrape, as far as a test asks it for one figure.

/** One scrape, by sample. */
export class Metrics {
  readonly text: string;
  constructor(body: string) {
    this.text = body;
  }

  /**
   * The sum of the samples of this name (`gatehouse_` may be left out) that carry at least these labels; 0 when
   * there is none.
   */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const full = name.startsWith('gatehouse_') || name.startsWith('process_') ? name : `gatehouse_${name}`;
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return this.text
      .split('\n')
      .filter((line) => line.startsWith(`${full}{`) || line.startsWith(`${full} `))
      .filter((line) => wanted.every((label) => line.includes(label)))
      .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)))
      .reduce((sum, value) => sum + value, 0);
  }
}
