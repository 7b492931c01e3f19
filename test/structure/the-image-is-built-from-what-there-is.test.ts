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
  t.strictSame(all('ARG'), [`BUILD_IMAGE=node:${manifest.devDependencies['node']}-bookworm-slim`]);
  t.strictSame(all('FROM'), ['${BUILD_IMAGE} AS build', 'scratch'], 'what builds is not what runs');

  const ignored = read('.dockerignore').split('\n');
  for (const needed of ['src', 'bin', 'tools', 'packaging', 'config', 'package-lock.json', 'tsconfig.json']) {
    t.ok(existsSync(fileURLToPath(new URL(needed, root))), `${needed} is there to be copied`);
    t.notOk(ignored.includes(needed), `${needed} is not ignored`);
  }
  t.ok(ignored.includes('config/docker/tls'), 'no builder needs the key');
  const layout = read('packaging/image/rootfs.sh');
  for (const [, path = ''] of layout.matchAll(/\$here\/([\w./-]+)/g))
    t.ok(existsSync(fileURLToPath(new URL(`packaging/image/${path}`, root))), path);

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
