// The page is loaded when somebody first asks for it. Where that fails, as in a process that has no file left to open,
// the answer is an error, and the next request loads it. A failure that was kept would leave the page out until a restart.

import { registerHooks } from 'node:module';
import { test } from 'tap';
import { exampleGate, startAdmin } from './example-gate.ts';

await test('a second request gets the page that the first could not have', async (t) => {
  let isShortOfFiles = true;
  const hooks = registerHooks({
    load: (url, context, next) => {
      if (isShortOfFiles && url.endsWith('/admin/page/pages.ts'))
        throw new Error('EMFILE: too many open files');
      return next(url, context);
    },
  });
  t.teardown(() => hooks.deregister());
  const errors: unknown[] = [];
  const url = await startAdmin(t, exampleGate().view, { onError: (error) => errors.push(error) });
  const first = await fetch(url);
  t.equal(first.status, 500);
  t.strictSame(await first.json(), { error: 'internal error' });
  t.match(errors, [{ message: /EMFILE/ }]);
  isShortOfFiles = false;
  const second = await fetch(url);
  t.equal(second.status, 200);
  t.match(await second.text(), /<h1/);
});
