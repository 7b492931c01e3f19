// Every real pg_hba.conf through migrate: the result loads, and unless a line was reported as one that could change who
// gets in, nobody is admitted by it whom the file itself would not have admitted.

import { test } from 'tap';
import { decide } from '../../src/rules/decide.ts';
import { loadHba } from '../../src/rules/hba.ts';
import type { RuleBook } from '../../src/rules/types.ts';
import { migrateHba } from '../../src/migrate/hba.ts';
import { upstreamHba } from '../../src/migrate/upstream.ts';
import { needsRealFiles, realHbaFiles } from '../support/oracles/real-files.ts';
import { factsOf, HBA_FILE, memoryFiles, problemsOf } from '../support/oracles/rules.ts';
import { toText } from '../../src/base/bytestring.ts';

const OPTIONS = { ssl: true, roles: new Map<string, never[]>() };
const USERS = ['postgres', 'alice', 'alpha', 'bravo', 'replication', 'root'];
const DATABASES = ['postgres', 'app', 'alpha', 'bravo', 'replication'];
const ADDRESSES = ['127.0.0.1', '::1', '10.0.0.5', '192.168.1.7', '172.17.0.2', '203.0.113.9', '2001:db8::1'];

function book(text: string, files: Readonly<Record<string, string>>): RuleBook {
  const hba = loadHba(HBA_FILE, memoryFiles({ ...files, [HBA_FILE]: text }), OPTIONS);
  return { hba, ident: { file: '', records: [], warnings: [] }, roles: OPTIONS.roles };
}

await test('migrate', needsRealFiles, (t) => {
  let compared = 0;
  let serious = 0;
  for (const { id, text, files: included = {} } of realHbaFiles()) {
    const beside = Object.fromEntries(
      Object.entries(included).map(([name, content]) => [`/etc/gate/${name}`, content] as const),
    );
    const fs = memoryFiles({ [HBA_FILE]: text, ...beside });
    const migrated = migrateHba(HBA_FILE, fs);
    const result = toText(migrated.text);
    t.same(
      problemsOf(() => book(result, beside)),
      [],
      `file ${id} loads`,
    );
    const upstream = toText(upstreamHba(migrated.kept).text);
    t.same(
      problemsOf(() => book(upstream, beside)),
      [],
      `file ${id} for the server loads`,
    );
    if (migrated.notes.some((note) => note.serious)) {
      serious += 1;
      continue;
    }
    if (problemsOf(() => book(text, beside)).length > 0) continue;
    const [before, after] = [book(text, beside), book(result, beside)];
    for (const user of USERS)
      for (const database of DATABASES)
        for (const address of ADDRESSES)
          for (const tls of [true, false]) {
            const facts = factsOf({ user, database, address, tls });
            compared += 1;
            if (decide(after, facts).kind !== 'admit') continue;
            if (decide(before, facts).kind !== 'admit')
              t.fail(`file ${id}: ${user} ${database} ${address} ${tls ? 'tls' : 'plain'} gets in`);
          }
  }
  t.ok(compared > 10_000, `${compared} decisions compared`);
  t.comment(`${serious} files have a line that must be looked at`);
  t.end();
});
