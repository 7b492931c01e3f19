// The watcher looks at the status of a file first. /proc has files whose contents change and whose status does not: with
// one of them it shows which looks have read the content.

import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { ConfigHolder, loadSnapshot } from '../../src/config/snapshot.ts';
import { createWatcher } from '../../src/config/watch.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';

/** This thread's name, of at most 15 bytes: an ident_file with a comment in it. */
const NAME = `/proc/self/task/${process.pid}/comm`;

/** Without truncating the file, which would give it another time. */
function rename(name: string): void {
  writeFileSync(NAME, name, { flag: 'r+' });
}

interface Looking {
  /** Looks at this time; tells how many reloads that caused. */
  readonly at: (now: number) => Promise<number>;
  /** When the file was last changed, as its status says. */
  readonly changedAt: number;
}

async function watching(t: Scope): Promise<Looking> {
  rename('# first');
  // The kernel forgets the times of a file in /proc that nobody has open.
  const open = openSync(NAME, 'r');
  atEnd(t, () => closeSync(open));
  const { at } = await watcherOf(t, { ident_file: NAME });
  return { at, changedAt: statSync(NAME).ctimeMs };
}

/** A watcher whose clock and timer are the test's. */
async function watcherOf(
  t: Scope,
  config: Readonly<Record<string, unknown>>,
  prepare: (path: (name: string) => string) => void = () => {},
): Promise<{ readonly path: (name: string) => string; readonly at: (now: number) => Promise<number> }> {
  const authority = testAuthority(t);
  const path = (name: string): string => join(authority.directory, name);
  writeGateFiles(authority.directory, authority, {
    hba: 'hostssl all all all cert\n',
    config,
    upstream: { host: '127.0.0.1', port: 5432 },
  });
  prepare(path);
  const holder = new ConfigHolder(await loadSnapshot(path('gatehouse.yaml')));
  let now = 0;
  let reloads = 0;
  let look: (() => Promise<void>) | null = null;
  createWatcher(holder, {
    now: () => now,
    schedule: (callback) => {
      look = callback;
      return () => {};
    },
    onChange: async () => {
      reloads += 1;
      await holder.reload();
    },
  });
  const at = async (time: number): Promise<number> => {
    now = time;
    reloads = 0;
    await look?.();
    return reloads;
  };
  return { path, at };
}

await test('a status that has not changed', async (t) => {
  const { at, changedAt } = await watching(t);
  const start = changedAt + 10_000;
  t.equal(await at(start), 0);
  rename('# second');
  t.equal(await at(start + 59_000), 0, 'stands for the content');
  t.equal(await at(start + 60_000), 1, 'for a minute');
  t.equal(await at(start + 65_000), 0);
  rename('# third');
  t.equal(await at(start + 3_000), 1, 'and not when the clock goes back');
});

await test('a file that was changed just now', async (t) => {
  const { at, changedAt } = await watching(t);
  t.equal(await at(changedAt + 1_000), 0);
  rename('# second');
  t.equal(await at(changedAt + 2_000), 1, 'is read at each look');
  rename('# third');
  t.equal(await at(changedAt + 2_500), 1);
  t.equal(await at(changedAt + 3_000), 0, 'the first look at which it is old enough reads it too');
  rename('# fourth');
  t.equal(await at(changedAt + 4_000), 0, 'and later ones need not');
});

await test('files that were changed long ago', async (t) => {
  const { path, at } = await watcherOf(
    t,
    { ssl_crl_dir: 'lists', ident_file: 'maps/current/ident' },
    (name) => {
      for (const folder of ['lists', 'maps', 'maps/..1', 'maps/..2']) mkdirSync(name(folder));
      writeFileSync(name('maps/..1/ident'), 'm a b\n');
      writeFileSync(name('maps/..2/ident'), 'm a c\n');
      symlinkSync('..1', name('maps/current'));
    },
  );
  const rules = readFileSync(path('pg_hba.conf'), 'latin1');
  const changes: Readonly<Record<string, () => void>> = {
    'written to, at the same length': () => writeFileSync(path('pg_hba.conf'), rules.replace('cert', 'CERT')),
    'exchanged for another file': () => {
      writeFileSync(path('new'), rules);
      renameSync(path('new'), path('pg_hba.conf'));
    },
    'led elsewhere by a link on the way': () => {
      symlinkSync('..2', path('maps/next'));
      renameSync(path('maps/next'), path('maps/current'));
    },
    'joined by another in their directory': () => writeFileSync(path('lists/one-more'), ''),
    'taken away': () => rmSync(path('maps/..2/ident')),
  };
  const later = Date.now() + 10_000;
  t.equal(await at(later), 0);
  for (const [what, change] of Object.entries(changes)) {
    t.equal(await at(later), 0, 'nothing new');
    change();
    t.equal(await at(later), 1, what);
    t.equal(await at(later), 0, 'once');
  }
});
