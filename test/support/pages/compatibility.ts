// The tests behind docs/compatibility.md: every row of it is a test of test/clients or test/console. Each file compares its own rows
// with the page; tools/compatibility-docs.ts writes the page from a run in which all of them passed.

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test, type Test } from 'tap';
import {
  COMPATIBILITY_PAGE,
  RECORD_TO,
  tableLine,
  type RecordedRow,
  type Row,
} from './compatibility-page.ts';

/** The rows of one test file; made by compatibility(). */
export class Compatibility {
  readonly #file: string;
  readonly #rows: RecordedRow[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  /**
   * A test that is a row of the page.
   * @param options what `needs()` gives: without its tools the test is skipped, the row still compared
   */
  async row(row: Row, options: { readonly skip?: string }, run: (t: Test) => Promise<void>): Promise<void> {
    const recorded = { ...row, file: this.#file };
    this.#rows.push(recorded);
    const name = [row.client, row.server, row.ran].filter((part) => part !== '').join(', ');
    await test(name, options, async (t) => {
      await run(t);
      const target = process.env[RECORD_TO];
      if (target !== undefined && t.passing()) appendFileSync(target, `${JSON.stringify(recorded)}\n`);
    });
  }

  /** Last in a file: the page has exactly this file's rows. */
  async complete(): Promise<void> {
    if (process.env[RECORD_TO] !== undefined) return;
    await test('docs/compatibility.md has these rows (npm run compatibility writes them)', async (t) => {
      const page = existsSync(COMPATIBILITY_PAGE) ? readFileSync(COMPATIBILITY_PAGE, 'utf8') : '';
      const ours = page.split('\n').filter((line) => line.endsWith(`(../test/${this.#file}) |`));
      t.strictSame(ours.toSorted(), this.#rows.map(tableLine).toSorted());
    });
  }
}

/** For a test file: `const page = compatibility(import.meta.url)`. */
export function compatibility(url: string): Compatibility {
  const file = fileURLToPath(url);
  return new Compatibility(`${basename(dirname(file))}/${basename(file)}`);
}
