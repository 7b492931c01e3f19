// A client whose certificate has 1,000 names comes to a line with a map of 1,000 patterns: it is told that this takes too
// long, the log says what was too much, and others come in as before.

import { test } from 'tap';
import type { Credentials } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

const LINES = 1000;

await test('1,000 names on 1,000 lines', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const lines = Array.from({ length: LINES }, (_, i) => String.raw`m /^spiffe://(.*)/y${i}$ \1`);
  const gate = await startGate(t, {
    hba: 'hostssl all all all cert clientname=URI map=m',
    ident: [...lines, 'm spiffe://alice alice'].join('\n'),
    upstream,
  });
  const connectTls = async (credentials: Credentials): Promise<RawClient> => {
    const raw = await connectRaw(t, gate.port);
    await raw.openTls({ cert: credentials.cert, key: credentials.key });
    return raw;
  };
  const alice = gate.authority.client('alice', { san: { uri: ['spiffe://alice'] } });
  const admitted = await connectTls(alice);
  t.equal((await admitted.login({ user: 'alice', database: 'd' })).error, null);

  const uri = Array.from({ length: 1000 }, (_, i) => `spiffe://example.org/${i}`);
  const many = gate.authority.client('many', { san: { uri } });
  const client = await connectTls(many);
  const { error } = await client.login({ user: 'alice', database: 'd' });
  t.match(error, { S: 'FATAL', C: '28000', M: 'judging this connection by the rules would take too long' });
  const line = await gate.waitForLog({ code: 'decision-too-expensive' });
  t.match(line, {
    level: 'warn',
    detail: 'The certificate has 1000 names of the kind URI to be tried on each line of the map "m".',
    rule: /pg_hba\.conf:1$/,
  });
  const again = await connectTls(alice);
  t.equal((await again.login({ user: 'alice', database: 'd' })).error, null, 'others come in as before');
});
