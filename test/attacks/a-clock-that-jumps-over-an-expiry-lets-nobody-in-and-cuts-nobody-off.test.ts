// The gate's clock is set forward and back, by somebody who speaks in a time server's name or by a machine that woke up
// wrong. A certificate is judged by the clock of its handshake, and who is in stays in.

import { test } from 'tap';
import { testAuthority, type Credentials } from '../support/certificates/certificates.ts';
import { Clock, DAY_MS, FAKETIME, HOUR_MS, SECOND_MS, YEAR_MS } from '../support/run/clock.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { connectRaw, query, type RawClient } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { needs } from '../support/run/tools.ts';
import { openClient, openSession, until } from '../session/clients.ts';
import { judgements, reloaded } from '../production/clients.ts';

/** @returns what kept the client out, and null where it got in and was answered */
async function comeAndGo(t: Scope, gate: Gate, credentials: Credentials): Promise<string | null> {
  const client = await openClient(t, gate, { credentials });
  const { error } = await client.login({ user: 'postgres' });
  if (error === null) await ask(client);
  client.destroy();
  return error === null ? null : `${error['C']} ${error['M']}`;
}

/** @throws Error when the session is over */
async function ask(client: RawClient): Promise<void> {
  await client.send(query('select 1'));
  await client.readMessagesUntil('Z');
}

const refusal = (reason: string): string => `28000 client certificate verification failed: ${reason}`;

const EARLY = { reason: refusal('certificate is not yet valid'), code: 'client-cert-not-yet-valid' };
const LATE = { reason: refusal('certificate has expired'), code: 'client-cert-expired' };
const LIST_EARLY = { reason: refusal('CRL is not yet valid'), code: 'client-cert-crl-unavailable' };
const LIST_LATE = { reason: refusal('CRL has expired'), code: 'client-cert-crl-expired' };

await test('who may come in is asked of the clock at each handshake', needs(FAKETIME), async (t) => {
  await using server = await startPostgres({ version: 18 });
  const clock = new Clock(t);
  const authority = testAuthority(t);
  const validity = { notBefore: clock.at(HOUR_MS), notAfter: clock.at(2 * HOUR_MS) };
  const common = { ...clock.gate, hba: 'hostssl all all all cert\n', upstream: server, authority };
  const gates = {
    plain: await startGate(t, { ...common, config: { workers: 2 } }),
    revoking: await startGate(t, {
      ...common,
      config: { ssl_crl_file: 'ca.crl' },
      files: {
        'ca.crl': authority.crl({ thisUpdate: clock.at(HOUR_MS), nextUpdate: clock.at(2 * HOUR_MS) }),
      },
    }),
  };
  const clients = {
    'a certificate': { gate: gates.plain, credentials: authority.client('postgres', validity) },
    'its issuer': {
      gate: gates.plain,
      credentials: authority.intermediate('Short CA', validity).client('postgres'),
    },
    'a revocation list': { gate: gates.revoking, credentials: authority.client('postgres') },
  };
  const steps: readonly (readonly [when: string, at: number, kept: 'early' | 'late' | null])[] = [
    ['before', 0, 'early'],
    ['a minute before its begin', HOUR_MS - 60 * SECOND_MS, 'early'],
    ['begun a second ago', HOUR_MS + SECOND_MS, null],
    ['a minute before its end', 2 * HOUR_MS - 60 * SECOND_MS, null],
    ['over for a second', 2 * HOUR_MS + SECOND_MS, 'late'],
    ['set back before its end', 2 * HOUR_MS - 60 * SECOND_MS, null],
    ['set back before its begin', HOUR_MS - 60 * SECOND_MS, 'early'],
    ['long over', YEAR_MS / 2, 'late'],
    ['right again', HOUR_MS + HOUR_MS / 2, null],
  ];
  for (const [when, at, kept] of steps) {
    clock.set(at);
    for (const [what, { gate, credentials }] of Object.entries(clients)) {
      const from = gate.logLength();
      const isList = what === 'a revocation list';
      const wanted = { early: isList ? LIST_EARLY : EARLY, late: isList ? LIST_LATE : LATE };
      const got = await comeAndGo(t, gate, credentials);
      t.equal(got, kept === null ? null : wanted[kept].reason, `${what}, ${when}`);
      if (kept === null) continue;
      const line = await gate.waitForLog({ code: wanted[kept].code }, { from });
      const offMs = Math.abs(Date.parse(String(line['time'])) - clock.at(at).getTime());
      t.ok(offMs < 60 * SECOND_MS, `${what}, ${when}: the log goes by that clock`);
    }
  }
  for (const gate of Object.values(gates)) {
    // The last client has only just hung up.
    await until('nobody is left', async () => (await gate.metrics()).value('sessions') === 0);
    const metrics = await gate.metrics();
    t.equal(metrics.value('connections_total', { outcome: 'internal-error' }), 0);
    t.equal(metrics.value('sessions'), 0);
  }
});

await test('who is in stays in, whatever is loaded again', needs(FAKETIME), async (t) => {
  await using server = await startPostgres({ version: 18 });
  const clock = new Clock(t);
  const authority = testAuthority(t);
  const hba = 'hostssl all all all cert\n';
  const gate = await startGate(t, {
    ...clock.gate,
    hba,
    upstream: server,
    authority,
    config: { ssl_crl_file: 'ca.crl', reload: { watch: 'off', sessions: 'terminate' } },
    files: { 'ca.crl': authority.crl() },
  });
  const validity = { notBefore: clock.at(HOUR_MS), notAfter: clock.at(2 * HOUR_MS) };
  const credentials = [
    authority.client('postgres', validity),
    authority.client('postgres', validity),
  ] as const;
  clock.set(HOUR_MS + HOUR_MS / 2);
  const { client: first } = await openSession(t, gate, {
    credentials: credentials[0],
    parameters: { user: 'postgres' },
  });
  // TLS 1.2 is over for the client only when it is for the server: the certificate has been verified.
  const second = await connectRaw(t, gate.port);
  const { cert, key } = credentials[1];
  await second.openTls({ ca: authority.cert, servername: 'localhost', maxVersion: 'TLSv1.2', cert, key });
  clock.set(3 * HOUR_MS);
  t.equal(
    (await second.login({ user: 'postgres' })).error,
    null,
    'verified before the end, let in after it: as in PostgreSQL',
  );
  const remaining = (await gate.metrics()).value('client_certificate_remaining_seconds_sum');
  t.ok(remaining > 0 && remaining <= HOUR_MS / 2 / SECOND_MS, `no less than nothing is left: ${remaining} s`);
  const everybodyStays = async (when: string, reason: string): Promise<void> => {
    t.match(await reloaded(gate), { ok: true }, when);
    await until(`nobody is judged, ${when}`, async () =>
      (await gate.sessions()).every((row) => row['judgement_reason'] === `client certificate: ${reason}`),
    );
    t.strictSame(new Set(Object.values(judgements(await gate.sessions()))), new Set(['not-judged']), when);
    for (const client of [first, second]) await ask(client);
    t.equal((await gate.sessions()).filter(({ state }) => state === 'idle').length, 2, when);
    t.notOk(
      gate.log.some(({ msg }) => msg.startsWith('session would no longer be admitted')),
      when,
    );
  };

  t.equal(await comeAndGo(t, gate, credentials[0]), LATE.reason);
  gate.rewrite('pg_hba.conf', `# changed\n${hba}`);
  await everybodyStays('after its end, new rules', 'certificate has expired');
  gate.rewrite('ca.crl', authority.crl({ thisUpdate: clock.at(2 * HOUR_MS) }));
  await everybodyStays('after its end, a new revocation list', 'certificate has expired');
  // Both are for the one key that has signed the clients' certificates, and the first of them is over.
  const over = authority.renewed({ notBefore: clock.at(-DAY_MS), notAfter: clock.at(HOUR_MS) });
  const renewed = authority.renewed({ notBefore: clock.at(2 * HOUR_MS), notAfter: clock.at(YEAR_MS) });
  gate.rewrite('ca.crt', over + renewed);
  await everybodyStays("after its end, the CA's certificate renewed", 'certificate has expired');
  t.equal(await comeAndGo(t, gate, authority.client('postgres')), null, 'as OpenSSL sees it, too');
  clock.set(-6 * HOUR_MS);
  gate.rewrite('ca.crt', authority.cert);
  gate.rewrite('ca.crl', authority.crl({ thisUpdate: clock.at(-DAY_MS), nextUpdate: clock.at(-HOUR_MS) }));
  await everybodyStays('set back before its begin, and a list of that time', 'certificate is not yet valid');
  t.equal(await comeAndGo(t, gate, credentials[0]), EARLY.reason);

  // What takes the right away still does, by whatever clock.
  gate.rewrite('ca.crl', authority.crl({ thisUpdate: clock.at(-DAY_MS), revoked: credentials }));
  await reloaded(gate);
  for (const client of [first, second]) {
    const [error] = (await client.readMessagesUntil('E')).slice(-1);
    t.match(error?.body.toString('latin1'), /C57P01\0/);
    client.halfClose();
  }
  await until('none is left', async () => (await gate.sessions()).length === 0);
  // One reload's judgement comes after another's: by now all of them are over.
  const objections = gate.log.filter(({ msg }) => msg.startsWith('session would no longer be admitted'));
  t.strictSame(
    objections.map(({ msg }) => msg.replace(/^.*: /, '')),
    ['certificate revoked', 'certificate revoked'],
  );
});
