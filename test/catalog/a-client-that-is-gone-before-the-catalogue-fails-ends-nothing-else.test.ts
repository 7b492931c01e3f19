// A connection may be over when its decision comes to ask the catalogue. What the catalogue then fails with is nobody's,
// and must not end the process: a rejection that is not handled would.

import { Writable } from 'node:stream';
import { join } from 'node:path';
import { test } from 'tap';
import { SaltedPasswords } from '../../src/auth/scram-keys.ts';
import { GatehouseError } from '../../src/base/errors.ts';
import { Catalog } from '../../src/catalog/catalog.ts';
import { ConfigHolder, loadSnapshot } from '../../src/config/snapshot.ts';
import { Dialer } from '../../src/session/dial.ts';
import { EndSignal } from '../../src/session/end-signal.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { atEnd } from '../support/run/scope.ts';
import { until } from '../session/clients.ts';

await test('memberships and secrets', async (t) => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  atEnd(t, () => process.off('unhandledRejection', note));

  const authority = testAuthority(t);
  writeGateFiles(authority.directory, authority, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { auth_user: 'reader', auth_query: 'select $1' },
  });
  const loaded = await loadSnapshot(join(authority.directory, 'gatehouse.yaml'));
  const catalog = new Catalog({
    config: new ConfigHolder(loaded),
    dialer: new Dialer(() => []),
    salted: new SaltedPasswords(),
    log: createLogger('info', new Writable({ write: (_chunk, _encoding, done) => done() })),
  });
  atEnd(t, () => catalog.close());

  const life = new EndSignal();
  life.end(new GatehouseError('client-gave-up'));
  const { snapshot } = loaded;
  await t.rejects(catalog.memberships(snapshot, life.signal), { code: 'client-gave-up' });
  await t.rejects(catalog.secretOf('alice', '192.0.2.1', snapshot, life.signal), { code: 'client-gave-up' });
  await t.rejects(catalog.memberships(snapshot, new EndSignal().signal), { code: 'roles-unavailable' });
  await until('the catalogue has failed', async () => catalog.health.up === false);
  // A rejection is called unhandled once the turn that it came in is over.
  await new Promise((resolve) => void setImmediate(resolve));
  t.strictSame(unhandled, []);
});
