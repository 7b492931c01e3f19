// `serve` with plain options is read without commander. Where both can read a line they read the same, and what only
// commander can say something about is left to it.

import { Command } from 'commander';
import { array, assert, constantFrom, oneof, property, string } from 'fast-check';
import { test } from 'tap';
import { withConfiguration } from '../../src/commands/configuration-options.ts';
import type { ConfigurationOptions } from '../../src/commands/configuration.ts';
import { readServeLine } from '../../src/commands/serve-line.ts';

/** What commander makes of a line; null = an error. */
function byCommander(words: readonly string[]): ConfigurationOptions | null {
  const program = new Command('pg-gatehouse').version('1', '-V, --version', 'print the version');
  let read: ConfigurationOptions | null = null;
  const serve = withConfiguration(program.command('serve', { isDefault: true })).action(
    (options: ConfigurationOptions) => {
      read = options;
    },
  );
  for (const each of [program, serve])
    each.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
  try {
    program.parse([...words], { from: 'user' });
  } catch {
    return null;
  }
  return read;
}

await test('plain lines are read, and others left alone', async (t) => {
  const set = [{ name: 'a', value: 'b=c' }];
  t.strictSame(readServeLine([]), { set: [] });
  t.strictSame(readServeLine(['serve']), { set: [] });
  t.strictSame(readServeLine(['--config', 'x', '--set', 'a=b=c']), { config: 'x', set });
  t.strictSame(readServeLine(['serve', '--set=a=b=c', '--config=x']), { config: 'x', set });
  for (const line of [
    '--help',
    '--version',
    'serve --help',
    'check',
    'serve x',
    '--config',
    '--config=',
    '--config -x',
    '--config x --config y',
    '--set a',
    '--set =a',
    '--set',
    '--sets a=b',
    '--',
    'serve serve',
  ])
    t.equal(readServeLine(line.split(' ')), null, line);
});

await test('what it reads, commander reads alike', async () => {
  const word = oneof(
    constantFrom('serve', 'check', '--config', '--set', '--config=x', '--set=a=b', '--help', '-V', '--', '-'),
    constantFrom('a=b', 'a.b=--c', '=', 'x y', '--set=', '--set==', '--config=--set', '--config=a\nb', ''),
    string({ maxLength: 4 }),
  );
  assert(
    property(array(word, { maxLength: 6 }), (words) => {
      const read = readServeLine(words);
      if (read === null) return;
      const theirs = byCommander(words);
      const same = JSON.stringify({ config: theirs?.config, set: theirs?.set });
      if (JSON.stringify({ config: read.config, set: read.set }) !== same)
        throw new Error(`${JSON.stringify(words)}: ${JSON.stringify(read)} and ${same}`);
    }),
    { numRuns: 5_000 },
  );
});
