// SSLRequest and GSSENCRequest: what each is answered on every way in, of whatever length, and that the second of a
// kind is an impossible protocol version (semantics §1.4 to §1.7, §1.9).

import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import {
  decodeMessages,
  decodeErrorResponse,
  GSSENC_REQUEST_CODE,
  int32,
  packet,
  SSL_REQUEST_CODE,
} from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import type { Scope } from '../support/run/scope.ts';
import { assertOneEndingEach, visit, type Visitor } from '../support/peers/visitor.ts';

/** A request, and the answer: `refused` = the error for an impossible version. */
type Step = readonly ['ssl' | 'gss', 'S' | 'N' | 'refused'];

/** How the client comes: in clear, or speaking TLS from the first byte. */
type Way = 'clear' | 'direct';

interface Row {
  readonly ssl: 'on' | 'off';
  readonly way: Way;
  readonly steps: readonly Step[];
}

const row = (ssl: Row['ssl'], way: Way, ...steps: readonly Step[]): Row => ({ ssl, way, steps });

const rows: readonly Row[] = [
  row('on', 'clear'),
  row('on', 'clear', ['ssl', 'S']),
  row('on', 'clear', ['gss', 'N']),
  row('on', 'clear', ['gss', 'N'], ['ssl', 'S']),
  row('on', 'clear', ['gss', 'N'], ['gss', 'refused']),
  // After S both have been asked for.
  row('on', 'clear', ['ssl', 'S'], ['ssl', 'refused']),
  row('on', 'clear', ['ssl', 'S'], ['gss', 'refused']),
  row('on', 'clear', ['gss', 'N'], ['ssl', 'S'], ['gss', 'refused']),
  row('off', 'clear'),
  row('off', 'clear', ['ssl', 'N']),
  row('off', 'clear', ['gss', 'N']),
  row('off', 'clear', ['ssl', 'N'], ['gss', 'N']),
  row('off', 'clear', ['gss', 'N'], ['ssl', 'N']),
  row('off', 'clear', ['ssl', 'N'], ['ssl', 'refused']),
  row('off', 'clear', ['gss', 'N'], ['gss', 'refused']),
  row('off', 'clear', ['ssl', 'N'], ['gss', 'N'], ['ssl', 'refused']),
  row('off', 'clear', ['gss', 'N'], ['ssl', 'N'], ['gss', 'refused']),
  row('on', 'direct'),
  row('on', 'direct', ['ssl', 'N']),
  row('on', 'direct', ['gss', 'N']),
  row('on', 'direct', ['ssl', 'N'], ['gss', 'N']),
  row('on', 'direct', ['gss', 'N'], ['ssl', 'N']),
  row('on', 'direct', ['ssl', 'N'], ['ssl', 'refused']),
  row('on', 'direct', ['gss', 'N'], ['ssl', 'N'], ['gss', 'refused']),
];

const CODES = { ssl: SSL_REQUEST_CODE, gss: GSSENC_REQUEST_CODE } as const;
const VERSIONS = { ssl: '1234.5679', gss: '1234.5680' } as const;

async function startGates(t: Scope): Promise<Record<Row['ssl'], Gate>> {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = (ssl: Row['ssl']): Promise<Gate> =>
    startGate(t, { hba: 'host all all all trust', upstream, config: { ssl, log_level: 'debug' } });
  return { on: await gate('on'), off: await gate('off') };
}

async function enter(t: Scope, gate: Gate, way: Way): Promise<Visitor> {
  const client = await visit(t, gate);
  if (way === 'direct') await client.startTls({ ALPNProtocols: ['postgresql'] });
  return client;
}

await test('every order, with requests of every length', async (t) => {
  const gates = await startGates(t);
  for (const { ssl, way, steps } of rows) {
    // The request's length is not compared with 8.
    for (const length of steps.length === 0 ? [8] : [8, 12, 16]) {
      const name = `ssl ${ssl}, ${way}, ${length} bytes: ${steps.map((step) => step.join(' → ')).join(', ')}`;
      const gate = gates[ssl];
      const client = await enter(t, gate, way);
      let refused = false;
      for (const [kind, answer] of steps) {
        await client.send(packet(Buffer.concat([int32(CODES[kind]), Buffer.alloc(length - 8)])));
        if (answer === 'refused') {
          refused = true;
          const [error, ...rest] = decodeMessages(await client.readUntilClose());
          t.strictSame(
            [decodeErrorResponse(error!), rest],
            [
              {
                S: 'FATAL',
                V: 'FATAL',
                C: '0A000',
                M: `unsupported frontend protocol ${VERSIONS[kind]}: server supports 3.0 to 3.2`,
              },
              [],
            ],
            name,
          );
          t.match(await client.ending(), { code: 'unsupported-protocol', level: 'info' });
        } else {
          t.equal((await client.read(1)).toString('latin1'), answer, name);
          if (answer === 'S') await client.startTls();
        }
      }
      if (!refused) t.equal((await client.login({ user: 'alice' })).error, null, name);
      client.halfClose();
      await client.ending();
    }
  }
  await assertOneEndingEach(t, gates.on);
  await assertOneEndingEach(t, gates.off);
});

await test('leaving behind an answered request is nothing to complain of', async (t) => {
  const gates = await startGates(t);
  const table: [ssl: Row['ssl'], way: Way, steps: readonly Step[], part: number, code: string][] = [
    ['on', 'clear', [['gss', 'N']], 0, 'no-startup-packet'],
    ['on', 'clear', [['gss', 'N']], 3, 'no-startup-packet'],
    ['on', 'clear', [['gss', 'N']], 4, 'incomplete-startup-packet'],
    ['on', 'clear', [['ssl', 'S']], 0, 'no-startup-packet'],
    ['on', 'clear', [['ssl', 'S']], 1, 'no-startup-packet'],
    ['on', 'clear', [['ssl', 'S']], 7, 'incomplete-startup-packet'],
    ['off', 'clear', [['ssl', 'N']], 3, 'no-startup-packet'],
    // Direct TLS was not asked for, so a part is one as in clear.
    ['on', 'direct', [], 0, 'no-startup-packet'],
    ['on', 'direct', [], 3, 'incomplete-startup-packet'],
    ['on', 'direct', [['ssl', 'N']], 3, 'no-startup-packet'],
  ];
  for (const [ssl, way, steps, part, code] of table) {
    const gate = gates[ssl];
    const client = await enter(t, gate, way);
    for (const [kind, answer] of steps) {
      await client.send(packet(int32(CODES[kind])));
      await client.read(1);
      if (answer === 'S') await client.startTls();
    }
    if (part > 0) await client.send(packet(Buffer.alloc(16)).subarray(0, part));
    client.halfClose();
    const level = code === 'no-startup-packet' ? 'debug' : 'info';
    t.match(await client.ending(), { code, level }, `${ssl} ${way} ${steps.join()} + ${part} bytes`);
    await client.readUntilClose();
  }
  await assertOneEndingEach(t, gates.on);
  await assertOneEndingEach(t, gates.off);
});
