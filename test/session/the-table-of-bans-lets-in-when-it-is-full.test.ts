// An attacker with very many addresses can fill the table of failed authentications and no more: it stays bounded, those
// who are in it are still counted, and addresses beyond it are let in (contract §10).

import { Writable } from 'node:stream';
import { test } from 'tap';
import { banAddress, BanTable, type BanLimits } from '../../src/session/bans.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { atEnd } from '../support/run/scope.ts';

const log = createLogger('info', new Writable({ write: (_chunk, _encoding, done) => done() }));

const LIMITS: BanLimits = {
  max_authentication_failures_per_address: 3,
  authentication_failures_window: 60_000,
  authentication_ban_time: 60_000,
};

await test('failures', async (t) => {
  const table = new BanTable({ log, maxFailures: 10 });
  atEnd(t, () => table.adopt({ ...LIMITS, max_authentication_failures_per_address: 0 }));
  for (let index = 0; index < 50; index++) table.failed(`10.0.0.${index}`, LIMITS);
  for (let time = 0; time < 5; time++) table.failed('192.0.2.1', LIMITS);
  t.notOk(table.refuses('192.0.2.1'), 'a late comer is let in');
  table.failed('10.0.0.1', LIMITS);
  t.notOk(table.refuses('10.0.0.1'), 'nothing more is remembered');
  table.succeeded('10.0.0.2');
  table.succeeded('10.0.0.3');
  for (let time = 0; time < 3; time++) table.failed('192.0.2.1', LIMITS);
  t.ok(table.refuses('192.0.2.1'), 'until there is room again');
  t.match(table.list(), [{ address: '192.0.2.1', failures: 3, refused: 1 }]);
});

await test('bans', async (t) => {
  const table = new BanTable({ log, maxBans: 4 });
  atEnd(t, () => table.adopt({ ...LIMITS, max_authentication_failures_per_address: 0 }));
  for (let index = 0; index < 9; index++) {
    for (let time = 0; time < 3; time++) table.failed(`10.0.0.${index}`, LIMITS);
  }
  t.equal(table.size, 4);
  t.notOk(table.refuses('10.0.0.8'));
  t.ok(table.lift('10.0.0.0'));
  for (let time = 0; time < 3; time++) table.failed('10.0.0.8', LIMITS);
  t.ok(table.refuses('10.0.0.8'), 'until there is room again');
});

await test('failures outside of the window do not count', async (t) => {
  const table = new BanTable({ log });
  atEnd(t, () => table.adopt({ ...LIMITS, max_authentication_failures_per_address: 0 }));
  const narrow = { ...LIMITS, authentication_failures_window: 0 };
  for (let time = 0; time < 9; time++) table.failed('192.0.2.1', narrow);
  t.notOk(table.refuses('192.0.2.1'));
});

await test('an address may be written in each of its forms', async (t) => {
  t.equal(banAddress('192.0.2.1'), '192.0.2.1');
  t.equal(banAddress('192.0.2.1/32'), '192.0.2.1');
  t.equal(banAddress('::ffff:192.0.2.1'), '192.0.2.1');
  t.equal(banAddress('2001:DB8::1'), '2001:db8::/64');
  t.equal(banAddress('2001:db8::/64'), '2001:db8::/64');
  t.equal(banAddress('no address'), 'no address');
});
