// The turns of one address's guesses, however verdicts, waits and newcomers meet in one turn of the loop: never more are
// under way than are allowed, nobody is forgotten, and a success lets as many go on as there is room for (contract §10).

import { test } from 'tap';
import { Guesses } from '../../src/session/guesses.ts';

const ADDRESS = '203.0.113.7';

void test('verdicts that come together', async (t) => {
  const guesses = new Guesses();
  let underWay = 0;
  let most = 0;
  const guess = async (): Promise<void> => {
    t.equal(await guesses.begin(ADDRESS, () => 2), 'go');
    underWay++;
    most = Math.max(most, underWay);
  };
  const end = (): void => {
    underWay--;
    guesses.end(ADDRESS);
  };
  await guess();
  await guess();
  const waiting = guess();
  end();
  end();
  // Both verdicts are in before the one that waits has gone on; three newcomers arrive with it.
  const others = [guess(), guess(), guess()];
  for (let verdicts = 0; verdicts < 4; verdicts++) {
    await Promise.race([waiting, ...others]);
    await new Promise((resolve) => void setImmediate(resolve));
    t.ok(underWay >= 1, 'somebody goes on');
    end();
  }
  await Promise.all([waiting, ...others]);
  t.equal(most, 2);
});

void test('a success makes room for several', async (t) => {
  const guesses = new Guesses();
  let allowed: number | null = 1;
  const begin = async () => await guesses.begin(ADDRESS, () => allowed);
  t.equal(await begin(), 'go');
  const waiting = [begin(), begin(), begin()];
  allowed = 3;
  guesses.end(ADDRESS);
  t.strictSame(await Promise.all(waiting), ['go', 'go', 'go']);
  const refused = [begin(), begin()];
  allowed = null;
  guesses.end(ADDRESS);
  t.strictSame(await Promise.all(refused), ['refused', 'refused'], 'a ban tells all who wait');
});
