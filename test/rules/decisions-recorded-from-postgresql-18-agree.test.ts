// PgBouncer's own rule table, each decision as PostgreSQL 18 took it. What came over a Unix socket there must meet a
// local line, which no connection to the gate ever matches.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { fromText } from '../../src/base/bytestring.ts';
import { decide } from '../../src/rules/decide.ts';
import { bookOf, factsOf } from '../support/oracles/rules.ts';

interface Recorded {
  readonly user: string;
  readonly database: string;
  /** `unix` or an address. */
  readonly src: string;
  readonly tls?: number;
  readonly replication?: string;
  /** File and line; null for the implicit reject. */
  readonly matched: readonly [string, number] | null;
  readonly reply: { readonly kind: string; readonly sqlstate?: string; readonly message?: string };
}

interface Scenario {
  readonly name: string;
  readonly hba: string;
  readonly results: readonly Recorded[];
}

const path = join(import.meta.dirname, '../fixtures/rules/postgresql-18-decisions.json');
// eslint-disable-next-line typescript/no-unsafe-type-assertion -- a recording of our own, checked by its use
const { scenarios } = JSON.parse(readFileSync(path, 'utf8')) as { scenarios: readonly Scenario[] };

for (const { name, hba, results } of scenarios) {
  await test(name, (t) => {
    const book = bookOf(hba.replaceAll('{M}', 'trust'));
    for (const recorded of results) {
      const { user, database, src, matched } = recorded;
      const label = `${user} to ${database} from ${src}${recorded.replication === undefined ? '' : ' replication'}`;
      if (src === 'unix') {
        const record = book.hba.records.find(({ line }) => line === matched?.[1]);
        t.equal(record?.type, matched === null ? undefined : 'local', label);
        continue;
      }
      const verdict = decide(
        book,
        factsOf({
          user: fromText(user),
          database: fromText(database),
          address: src,
          tls: recorded.tls === 1,
          replication: recorded.replication === undefined ? 'none' : 'physical',
        }),
      );
      if (verdict.kind === 'look-up') throw new Error('no rule here names a host');
      t.equal(verdict.record?.line ?? null, matched?.[1] ?? null, label);
      if (recorded.reply.kind !== 'error') continue;
      t.match(verdict, { kind: 'refuse', sqlstate: recorded.reply.sqlstate }, label);
      // Where {M} was reject in the recording, only the line is comparable.
      if (matched === null) t.match(verdict, { message: recorded.reply.message }, label);
    }
    t.ok(results.length > 0);
    t.end();
  });
}
