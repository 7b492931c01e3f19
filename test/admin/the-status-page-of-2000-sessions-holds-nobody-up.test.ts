// The page is made piece by piece, and others have their turn in between, each time a browser asks for it again. It has
// a hundred rows at most, and finds a session on any page by its filter.

import { test } from 'tap';
import { exampleGate, exampleSession, startAdmin } from './example-gate.ts';

const sessions = Array.from({ length: 2000 }, (_, index) =>
  exampleSession({
    id: `1-${index}`,
    user: `user${index}`,
    backend_start: new Date(Date.UTC(2026, 2, 1) - index * 1000).toISOString(),
  }),
);

await test('the page', async (t) => {
  let turn = 0;
  const goOn = (): void => {
    turn += 1;
    running = setImmediate(goOn);
  };
  let running = setImmediate(goOn);
  t.teardown(() => clearImmediate(running));
  /** In which turn of the event loop the head of the page and the table read the first session. */
  const turns = { head: 0, table: 0 };
  const [first, ...others] = sessions;
  t.ok(first);
  const watched = Object.defineProperties(
    { ...first! },
    {
      client_addr: { get: () => ((turns.head ||= turn), '192.0.2.1') },
      application_name: { get: () => ((turns.table ||= turn), 'psql') },
    },
  );
  const url = await startAdmin(t, exampleGate([watched, ...others]).view);
  const read = async (path: string): Promise<string> => await (await fetch(url + path)).text();

  const page = await read('/');
  t.ok(turns.head > 0 && turns.table >= turns.head + 4, `made in turns ${turns.head} to ${turns.table}`);
  t.equal(page.split('<tr role="row" id="s-').length - 1, 100);
  t.match(page, /1 to 100 of 2,000 sessions/);
  t.match(await read('/?q=user1999'), /1 session<.*user1999/s);
  t.match(await read('/?page=99999'), /1,901 to 2,000 of 2,000 sessions/, 'the last page');
});
