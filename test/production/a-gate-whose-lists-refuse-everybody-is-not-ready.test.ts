// A missing or overdue revocation list that refuses every client (contract §17): an error in the log at the start and at a
// reload, and 503 with the reason. Where some line admits clients without a certificate it is told, and the gate is ready.

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { openSession } from '../session/clients.ts';
import { answering, reloaded } from './clients.ts';

const DAY_MS = 86_400_000;
const days = (count: number): Date => new Date(Date.now() + count * DAY_MS);

await test('missing at the start, in force, overdue at a reload', async (t) => {
  const authority = testAuthority(t);
  const other = testAuthority(t, { cn: 'Another CA' });
  const alice = { credentials: authority.client('alice'), parameters: { user: 'alice' } };
  const gate = await startGate(t, {
    hba: 'hostssl all all all cert\n',
    upstream: await scriptedUpstream(t, answering),
    authority,
    config: { ssl_crl_file: 'ca.crl', reload: { watch: 'off' } },
    files: { 'ca.crl': other.crl() },
  });
  const readyz = async () => {
    const { status, body } = await gate.admin('/readyz');
    const { reasons }: { reasons: readonly string[] } = JSON.parse(body);
    return { status, reasons };
  };
  const missing = 'every client is refused: there is no certificate revocation list of "/CN=Test CA"';
  t.match(await gate.waitForLog({ msg: missing }), { level: 'error', file: gate.path('ca.crl') });
  t.strictSame(await readyz(), { status: 503, reasons: [missing] });

  gate.rewrite('ca.crl', authority.crl());
  const mended = gate.logLength();
  t.match(await reloaded(gate), { ok: true });
  t.strictSame(await readyz(), { status: 200, reasons: [] });
  await openSession(t, gate, alice);
  t.equal(gate.log.slice(mended).filter(({ msg }) => msg.startsWith('every client')).length, 0);

  gate.rewrite('ca.crl', authority.crl({ thisUpdate: days(-28), nextUpdate: days(-1) }));
  t.match(await reloaded(gate), { ok: true });
  const overdue = 'every client is refused: the certificate revocation list of "/CN=Test CA" is not in force';
  t.match(await gate.waitForLog({ msg: overdue }), { level: 'error' });
  t.strictSame(await readyz(), { status: 503, reasons: [overdue] });

  // A client without a certificate gets in: told, and not a reason to take the gate away from it.
  for (const type of ['host', 'hostnossl', 'hostnogssenc']) {
    gate.rewrite('pg_hba.conf', `hostssl all alice all cert\n${type} all bob all trust\n`);
    t.match(await reloaded(gate), { ok: true });
    t.strictSame(await readyz(), { status: 200, reasons: [overdue] }, type);
    await openSession(t, gate, { tls: false, parameters: { user: 'bob' } });
  }
  // Lines that match nobody here let nobody in.
  gate.rewrite(
    'pg_hba.conf',
    'hostssl all all all cert\nlocal all all trust\nhostgssenc all all all trust\n',
  );
  t.match(await reloaded(gate), { ok: true });
  t.strictSame(await readyz(), { status: 503, reasons: [overdue] });
});
