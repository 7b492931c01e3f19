// Sessions whose chains are odd, and reloads that bring an odd CA or list. What a reload says of a session is what the
// handshake of a new connection says.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { makeOddChain, type OddChain } from '../support/certificates/odd-chains.ts';
import { PLAIN, type Parts } from '../support/certificates/odd-parts.ts';
import { connectRaw, decodeErrorResponse, type RawClient } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { pem } from '../support/certificates/x509.ts';
import { openSession, until } from '../session/clients.ts';
import { answering, answers, judgements, reloaded } from './clients.ts';

const CERT = 'hostssl all alice all trust clientcert=verify-ca\n';
const RULES = `${CERT}host all bob all trust\n`;
const PLAIN_CHAIN: Parts = { ...PLAIN, depth: 1, lists: 'good' };

async function startOddGate(t: Scope, workers: number): Promise<Gate> {
  const lists = makeOddChain(PLAIN_CHAIN).lists ?? [];
  return await startGate(t, {
    hba: RULES,
    upstream: await scriptedUpstream(t, answering),
    config: { workers, ssl_crl_file: 'ca.crl', reload: { watch: 'off', sessions: 'terminate' } },
    files: { 'ca.crl': lists.map((der) => pem('X509 CRL', der)).join('') },
  });
}

/** Puts a chain's CA and lists in force, and the ciphers. */
async function install(gate: Gate, { file, lists, parts }: OddChain): Promise<void> {
  gate.rewrite('ca.crt', file.map((der) => pem('CERTIFICATE', der)).join(''));
  gate.rewrite('ca.crl', (lists ?? []).map((der) => pem('X509 CRL', der)).join(''));
  const yaml = readFileSync(gate.path('gatehouse.yaml'), 'utf8').replace(/^ssl_ciphers: .*\n/m, '');
  gate.rewrite('gatehouse.yaml', `${yaml}ssl_ciphers: '${parts.ciphers}'\n`);
  const { ok } = await reloaded(gate);
  if (!ok) throw new Error(`not reloaded: ${JSON.stringify(parts)}`);
}

/** Logs in as alice with what a chain sends. */
async function alice(t: Scope, gate: Gate, { sent, keys }: OddChain) {
  const client = await connectRaw(t, gate.port);
  await client.openTls({
    rejectUnauthorized: false,
    ca: [],
    ciphers: 'ALL:@SECLEVEL=0',
    cert: sent.map((der) => pem('CERTIFICATE', der)).join(''),
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }),
  });
  return { client, error: (await client.login({ user: 'alice' })).error };
}

async function toldToGo(client: RawClient): Promise<string | undefined> {
  const [last] = (await client.readMessagesUntil('E')).slice(-1);
  client.halfClose();
  return last === undefined ? undefined : decodeErrorResponse(last)['C'];
}

await test('whom a handshake admits no reload ends', async (t) => {
  const gate = await startOddGate(t, 1);
  const kinds: readonly (readonly [what: string, parts: Partial<Parts>])[] = [
    ['a root of version 1', { root: 'version 1' }],
    ['a root without basicConstraints', { root: 'without basicConstraints' }],
    ['a chain of 14', { depth: 12 }],
    ['two CAs of one name', { neighbour: 'a root of the same name before' }],
    ['an outdated list beside a current one', { lists: 'outdated revoking beside current' }],
    ['an older list that still names the client', { lists: 'newer without the leaf' }],
    ['a client removed from the list', { lists: 'leaf removed from the list' }],
    ['a delta list beside its base', { lists: 'delta revoking beside its base' }],
  ];
  for (const [what, parts] of kinds) {
    const odd = makeOddChain({ ...PLAIN_CHAIN, ...parts });
    await install(gate, odd);
    const { client, error } = await alice(t, gate, odd);
    t.equal(error, null, what);
    const { client: bob } = await openSession(t, gate, { tls: false, parameters: { user: 'bob' } });
    gate.rewrite('pg_hba.conf', CERT);
    await reloaded(gate);
    // Rules come after certificates, so by now both have been judged.
    t.equal(await toldToGo(bob), '57P01', what);
    t.ok(await answers(client), what);
    t.match(judgements(await gate.sessions()), { alice: 'admitted' }, what);
    gate.rewrite('pg_hba.conf', RULES);
    client.reset();
    await until('nobody is left', async () => (await gate.sessions()).length === 0);
  }
});

await test('whom a handshake refuses a reload ends, in whichever worker', async (t) => {
  const gate = await startOddGate(t, 2);
  const inFile = { place: 'in the file' } as const;
  const kinds: readonly (readonly [what: string, before: Partial<Parts>, after: Partial<Parts>])[] = [
    ['name constraints', inFile, { ...inFile, middle: 'names not permitted' }],
    ['path length', {}, { root: 'pathlen 0' }],
    ['another purpose', {}, { root: 'serverAuth only' }],
    ['a list by another key', {}, { lists: 'by another key' }],
    ['a list with a scope', {}, { lists: 'scope attributes' }],
    ['a list with a critical extension', {}, { lists: 'unknown critical extension' }],
    ['a list that is missing', {}, { lists: 'of the root missing' }],
    ['a revoked intermediate', {}, { lists: 'middle revoked' }],
    ['an unknown critical extension', inFile, { ...inFile, middle: 'unknown critical extension' }],
    [
      'a key that has become too short',
      { leaf: 'RSA-1024', ciphers: 'ALL:@SECLEVEL=0' },
      { leaf: 'RSA-1024' },
    ],
  ];
  for (const [what, before, after] of kinds) {
    const odd = makeOddChain({ ...PLAIN_CHAIN, ...before });
    await install(gate, odd);
    const { client, error } = await alice(t, gate, odd);
    t.equal(error, null, `${what}: admitted before`);
    const from = gate.logLength();
    await install(gate, makeOddChain({ ...PLAIN_CHAIN, ...after }));
    t.equal(await toldToGo(client), '57P01', what);
    const { msg } = await gate.waitForLog({ msg: /^session would no longer be admitted: / }, { from });
    const again = await alice(t, gate, odd);
    const words = String(again.error?.['M']);
    t.match(words, /^client certificate verification failed: /, what);
    t.equal(msg, `session would no longer be admitted: ${words}`, `${what}: the handshake's words`);
    again.client.reset();
    await until('nobody is left', async () => (await gate.sessions()).length === 0);
  }
});
