// Revocation takes effect at the reload: for new connections always, for live sessions as reload.sessions says.

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { decodeErrorResponse } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { openClient, openSession, until } from '../session/clients.ts';
import { answering, answers, judgements, reloaded, states } from './clients.ts';
import type { Scope } from '../support/run/scope.ts';

const CERT = 'hostssl all all 127.0.0.1/32 cert\n';
const REVOKED = { S: 'FATAL', C: '28000', M: 'client certificate verification failed: certificate revoked' };

async function gateWithTwoSessions(t: Scope, sessions: 'keep' | 'terminate') {
  const authority = testAuthority(t);
  const credentials = { alice: authority.client('alice'), bob: authority.client('bob') };
  const gate = await startGate(t, {
    hba: CERT,
    upstream: await scriptedUpstream(t, answering),
    authority,
    config: { ssl_crl_file: 'ca.crl', reload: { watch: 'off', sessions } },
    files: { 'ca.crl': authority.crl() },
  });
  const open = async (user: 'alice' | 'bob') =>
    (await openSession(t, gate, { credentials: credentials[user], parameters: { user } })).client;
  return { gate, authority, credentials, alice: await open('alice'), bob: await open('bob') };
}

await test('terminate: the session ends with 57P01, others keep theirs', async (t) => {
  const { gate, authority, credentials, alice, bob } = await gateWithTwoSessions(t, 'terminate');
  gate.rewrite('ca.crl', authority.crl({ revoked: [credentials.alice] }));
  t.match(await reloaded(gate), { ok: true });

  const [last] = (await alice.readMessagesUntil('E')).slice(-1);
  t.match(decodeErrorResponse(last!), {
    S: 'FATAL',
    C: '57P01',
    M: 'terminating connection due to administrator command',
  });
  alice.halfClose();
  t.match(await gate.waitForLog({ code: 'admin-terminated' }), {
    user: 'alice',
    detail: 'no longer admitted after a reload',
  });
  const again = await openClient(t, gate, { credentials: credentials.alice });
  t.match((await again.login({ user: 'alice' })).error, REVOKED);
  await gate.waitForLog({ code: 'client-cert-revoked' });

  t.ok(await answers(bob));
  t.strictSame(states(await gate.sessions()), { bob: 'idle' });
  await openSession(t, gate, { credentials: credentials.bob, parameters: { user: 'bob' } });
});

await test('keep: the session is listed, logged and counted until it passes again', async (t) => {
  const { gate, authority, credentials, alice, bob } = await gateWithTwoSessions(t, 'keep');
  gate.rewrite('ca.crl', authority.crl({ revoked: [credentials.alice] }));
  t.match(await reloaded(gate), { ok: true });

  t.match(await gate.waitForLog({ msg: /^session would no longer be admitted: / }), {
    level: 'warn',
    user: 'alice',
    msg: 'session would no longer be admitted: client certificate verification failed: certificate revoked',
  });
  const rows = await gate.sessions();
  t.strictSame(states(rows), { alice: 'idle', bob: 'idle' });
  t.strictSame(judgements(rows), { alice: 'no-longer-admitted', bob: 'admitted' });
  t.equal((await gate.metrics()).value('sessions_no_longer_admitted'), 1);
  t.ok(await answers(alice), 'it goes on');
  t.ok(await answers(bob));
  const again = await openClient(t, gate, { credentials: credentials.alice });
  t.match((await again.login({ user: 'alice' })).error, REVOKED, 'a new one does not begin');

  gate.rewrite('ca.crl', authority.crl());
  await reloaded(gate);
  await until(
    'alice passes again',
    async () => (await gate.metrics()).value('sessions_no_longer_admitted') === 0,
  );
  t.strictSame(judgements(await gate.sessions()), { alice: 'admitted', bob: 'admitted' });
});
