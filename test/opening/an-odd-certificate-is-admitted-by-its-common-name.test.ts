// What PostgreSQL does not look at keeps nobody out: hundreds of subjectAltName entries, a long serial number, a common
// name in an odd type. Lines that read alternative names are bounded, and the others do not care.

import { test } from 'tap';
import { testAuthority, type IssueOptions } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { assertOneEndingEach, visit } from '../support/peers/visitor.ts';

const hba = `
hostssl cn  all all cert
hostssl uri all all cert clientname=URI
hostssl dns all all cert clientname=DNS
`;

const many = Array.from({ length: 1500 }, (_, index) => `host-${index}.example`);
const BIT_STRING = 0x03;

/** By database: whether the line of that name admits alice. */
const cases: readonly (readonly [name: string, certificate: IssueOptions, admitted: readonly string[]])[] = [
  ['1,500 alternative names', { san: { dns: ['alice', ...many] } }, ['cn']],
  ['a thousand alternative names', { san: { dns: ['alice', ...many.slice(0, 999)] } }, ['cn', 'dns']],
  ['a serial of 70 bytes', { serial: 2n ** 555n + 1n, san: { uri: ['alice'] } }, ['cn', 'uri']],
  ['a serial of 600 bytes', { serial: 2n ** 4700n + 1n }, ['cn']],
  [
    'a common name as BIT STRING',
    { dn: [{ CN: { tag: BIT_STRING, bytes: Buffer.from('\0alice') } }] },
    ['cn'],
  ],
  [
    'another common name as BIT STRING',
    { dn: [{ CN: { tag: BIT_STRING, bytes: Buffer.from('\0alicf') } }] },
    [],
  ],
];

await test('each of them, at lines that read the common name and at lines that do not', async (t) => {
  const authority = testAuthority(t);
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba, upstream, authority });
  for (const [name, options, admitted] of cases) {
    const { cert, key } = authority.client('alice', options);
    for (const database of ['cn', 'uri', 'dns']) {
      const visitor = await visit(t, gate);
      await visitor.openTls({ cert, key });
      const { error } = await visitor.login({ user: 'alice', database });
      t.equal(error === null, admitted.includes(database), `${name}, ${database}: ${error?.['M']}`);
    }
  }
  await assertOneEndingEach(t, gate);
});
