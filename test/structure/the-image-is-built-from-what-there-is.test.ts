// The Dockerfile, where no engine is at hand: every line that can be held against the tree is.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(fileURLToPath(new URL(path, root)), 'utf8');

/** Instructions in order, continuation lines joined. */
const instructions = read('Dockerfile')
  .replaceAll('\\\n', ' ')
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line))
  .map((line) => ({
    name: line.slice(0, line.indexOf(' ')),
    rest: line.slice(line.indexOf(' ') + 1).trim(),
  }));

const all = (name: string): string[] =>
  instructions.filter((each) => each.name === name).map(({ rest }) => rest);

await test('the Dockerfile', async (t) => {
  const manifest: { devDependencies: Record<string, string> } = JSON.parse(read('package.json'));
  const bases = all('FROM').map((from) => from.split(' ')[0]);
  t.strictSame(
    new Set(bases),
    new Set([`node:${manifest.devDependencies['node']}-bookworm-slim`]),
    'both stages run on the very Node that the tests run on',
  );
  t.equal(bases.length, 2, 'what builds is not what runs');

  for (const copy of all('COPY').filter((each) => !each.startsWith('--from'))) {
    for (const source of copy.split(/\s+/).slice(0, -1)) {
      t.ok(existsSync(fileURLToPath(new URL(source, root))), `${source} is there to be copied`);
    }
  }
  const ignored = read('.dockerignore').split('\n');
  for (const source of ['src', 'bin', 'tools', 'config', 'package-lock.json']) {
    t.notOk(ignored.includes(source), `${source} is not ignored`);
  }

  t.match(all('USER').at(-1), /^[1-9]\d*:[1-9]\d*$/, 'a number that is not root');
  for (const form of [...all('ENTRYPOINT'), ...all('CMD')]) {
    t.ok(Array.isArray(JSON.parse(form)), `exec form, so that signals arrive: ${form}`);
  }
  t.match(
    all('HEALTHCHECK'),
    [/CMD \["bash", "\/opt\/pg-gatehouse\/healthcheck\.sh", "\/healthz"\]$/],
    'no Node is started',
  );
  t.equal(all('ADD').length, 0);
  t.notMatch(read('Dockerfile'), /curl|wget|latest/);
});
