// Versions from 0.0 to 65535.65535 and `_pq_.` options, byte for byte: NegotiateProtocolVersion comes from the gate,
// once and before all else, for versions above 3.2 and for options; the upstream hears 3.0 and of no option (semantics
// §1.15, contract §2 and §7.14).

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import {
  decodeErrorResponse,
  negotiateProtocolVersion,
  PROTOCOL_3_0,
  protocolVersion,
  startupMessage,
  type Parameters,
} from '../support/peers/raw-client.ts';
import { decodeStartup, scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { assertOneEndingEach, visit } from '../support/peers/visitor.ts';

const user = { user: 'alice' };

/** Version, and the options named; `null` = no NegotiateProtocolVersion. */
const spoken: readonly [major: number, minor: number, parameters: Parameters, options: string[] | null][] = [
  [3, 0, user, null],
  [3, 1, user, null],
  [3, 2, user, null],
  [3, 3, user, []],
  [3, 9999, user, []],
  [3, 65535, user, []],
  [3, 0, { ...user, '_pq_.command_compression': 'on' }, ['_pq_.command_compression']],
  [3, 1, { ...user, '_pq_.a': '1' }, ['_pq_.a']],
  [3, 3, { ...user, '_pq_.a': '1' }, ['_pq_.a']],
  [3, 0, { '_pq_.': '', ...user, '_pq_.b': '2', '_pq_.a': '1' }, ['_pq_.', '_pq_.b', '_pq_.a']],
  [
    3,
    2,
    [
      ['_pq_.a', '1'],
      ['user', 'alice'],
      ['_pq_.a', '2'],
    ],
    ['_pq_.a', '_pq_.a'],
  ],
  // Names are case-sensitive, and the prefix is the prefix: these are run-time settings.
  [3, 0, { ...user, '_PQ_.a': '1', 'x_pq_.a': '2', _pq_: '3' }, null],
];

/** Versions that PostgreSQL 18 does not speak. */
const unspoken: readonly [major: number, minor: number][] = [
  [0, 0],
  [0, 1],
  [1, 0],
  [2, 0],
  [2, 65535],
  [4, 0],
  [4, 1],
  [1234, 0],
  [1234, 5677],
  [1234, 5681],
  [65535, 65535],
  [32768, 3],
];

for (const tls of [false, true]) {
  await test(tls ? 'inside TLS' : 'in clear', async (t) => {
    const upstream = await scriptedUpstream(t, scripts.trust);
    const gate = await startGate(t, { hba: 'host all all all trust', upstream });

    for (const [major, minor, parameters, options] of spoken) {
      const name = `${major}.${minor} ${JSON.stringify(parameters)}`;
      const client = await visit(t, gate);
      if (tls) await client.openTls();
      const before = client.received.length;
      const { messages, error } = await client.login(parameters, protocolVersion(major, minor));
      t.equal(error, null, name);
      t.equal(messages.filter(({ type }) => type === 'v').length, options === null ? 0 : 1, `${name}: once`);
      if (options !== null) {
        const expected = negotiateProtocolVersion(protocolVersion(3, Math.min(minor, 2)), options);
        t.strictSame(client.received.subarray(before, before + expected.length), expected, `${name}: first`);
      }
      const { version, pairs } = decodeStartup((await upstream.nextConnection()).received.subarray(4));
      t.equal(version, PROTOCOL_3_0);
      t.strictSame(
        pairs.filter(([each]) => each.startsWith('_pq_.')),
        [],
        `${name}: no option goes on`,
      );
      t.match(Object.fromEntries(pairs), { user: 'alice', database: 'alice' });
    }

    for (const [major, minor] of unspoken) {
      const text = `unsupported frontend protocol ${major}.${minor}: server supports 3.0 to 3.2`;
      const client = await visit(t, gate);
      if (tls) await client.openTls();
      const before = client.received.length;
      await client.send(startupMessage(user, protocolVersion(major, minor)));
      if (major < 3) {
        await client.readUntilClose();
        t.equal(client.received.subarray(before).toString('latin1'), `EFATAL:  ${text}\n\0`, 'the old form');
      } else {
        const error = await client.readMessage();
        t.strictSame(decodeErrorResponse(error), { S: 'FATAL', V: 'FATAL', C: '0A000', M: text });
        await client.expectClosed();
      }
      t.match(await client.ending(), { code: 'unsupported-protocol', level: 'info', msg: text });
    }

    // The version is settled before anything is found wrong with the parameters.
    const nameless = await visit(t, gate);
    if (tls) await nameless.openTls();
    const { messages, error } = await nameless.login({ '_pq_.x': '1' }, protocolVersion(3, 2));
    t.equal(messages.map(({ type }) => type).join(''), 'vE');
    t.match(error, { C: '28000', M: 'no PostgreSQL user name specified in startup packet' });
    await assertOneEndingEach(t, gate);
  });
}
