// CVE-2021-44531 to CVE-2021-44533: subjectAltName entries read by the wrong type, out of a printed string, or split
// where they should not be; and multi-valued names. Each client wants to be spiffe://prod/alice (contract §3).

import { test } from 'tap';
import { testAuthority, type DistinguishedName, type SubjectAltName } from '../support/certificates.ts';
import { startGate } from '../support/gate.ts';
import { scriptedUpstream, scripts } from '../support/scripted-upstream.ts';
import { assertOneEndingEach, visit } from '../support/visitor.ts';

const ID = 'spiffe://prod/alice';

const hba = `
hostssl uri    all all cert clientname=URI
hostssl dns    all all cert clientname=DNS
hostssl email  all all cert clientname=EMAIL
hostssl cn     all all cert
hostssl dn     all all cert clientname=DN map=dn
`;

const ident = `dn "/^CN=(.*)$" "\\1"\n`;

interface Row {
  readonly name: string;
  readonly dn?: DistinguishedName;
  readonly san?: SubjectAltName;
  readonly user?: string;
  /** The databases, each named after what its line reads, that let the client in. */
  readonly admitted: readonly string[];
}

const rows: readonly Row[] = [
  { name: 'a URI', san: { uri: [ID] }, admitted: ['uri'] },
  { name: 'one URI of several', san: { uri: ['spiffe://prod/bob', ID] }, admitted: ['uri'] },
  { name: 'a DNS name that looks like the URI', san: { dns: [ID] }, admitted: ['dns'] },
  { name: 'a mailbox that looks like the URI', san: { email: [ID] }, admitted: ['email'] },
  { name: 'CVE-2021-44532: a printed list inside a DNS name', san: { dns: [`x, URI:${ID}`] }, admitted: [] },
  { name: 'a printed list inside a URI', san: { uri: [`spiffe://x, URI:${ID}`] }, admitted: [] },
  { name: 'a quoted list inside a mailbox', san: { email: [`"a", URI:"${ID}"`] }, admitted: [] },
  { name: 'a newline between two', san: { uri: [`spiffe://x\nURI:${ID}`, `${ID}\n`] }, admitted: [] },
  { name: 'a NUL behind it', san: { uri: [`${ID}\0.evil`], dns: [`${ID}\0`] }, admitted: [] },
  { name: 'in capitals', san: { uri: ['SPIFFE://prod/alice'], dns: [ID.toUpperCase()] }, admitted: [] },
  { name: 'a prefix of it', san: { uri: ['spiffe://prod/alic', `${ID}/`, `${ID} `] }, admitted: [] },
  { name: 'a wildcard', san: { dns: ['*'], uri: ['spiffe://prod/*'] }, admitted: [] },
  { name: 'the common name is no URI', dn: [{ CN: ID }], san: { dns: ['x'] }, admitted: ['cn', 'dn'] },
  { name: 'CVE-2021-44533: a common name inside another attribute', dn: [{ O: `x/CN=${ID}` }], admitted: [] },
  { name: 'a newline and a CN in an O', dn: [{ O: `x\nCN=${ID}` }, { CN: 'bob' }], admitted: [] },
  { name: 'a comma and a CN in an O', dn: [{ O: `x,CN=${ID}` }, { CN: 'bob' }], admitted: [] },
  { name: 'a plus and a CN in a CN', dn: [{ CN: `bob+CN=${ID}` }], user: `bob+CN=${ID}`, admitted: ['cn'] },
  {
    name: 'two values in one: the first by DER order, not the wanted one',
    // A SET is sorted by its bytes, and the shorter value comes first.
    dn: [{ CN: 'bob', '2.5.4.3': ID }],
    admitted: [],
  },
  {
    name: 'two values in one: bob is who it is',
    dn: [{ CN: 'bob', '2.5.4.3': ID }],
    user: 'bob',
    admitted: ['cn'],
  },
];

await test('each kind of name is what it is and nothing else', async (t) => {
  const authority = testAuthority(t);
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba, ident, upstream, authority });
  for (const { name, dn, san, user = ID, admitted } of rows) {
    const { cert, key } = authority.client('nobody', {
      ...(dn === undefined ? {} : { dn }),
      ...(san === undefined ? {} : { san }),
    });
    for (const database of ['uri', 'dns', 'email', 'cn', 'dn']) {
      const client = await visit(t, gate);
      await client.openTls({ cert, key });
      const { error } = await client.login({ user, database });
      t.equal(
        error?.['C'] ?? 'admitted',
        admitted.includes(database) ? 'admitted' : '28000',
        `${name}: ${database}`,
      );
      if (error !== null) t.equal(error['M'], `certificate authentication failed for user "${user}"`);
    }
  }
  await assertOneEndingEach(t, gate);
});
