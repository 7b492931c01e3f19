// A client is asked for its password, a reload comes, and then it answers (contract §7.32): the rules and secrets in force
// at the end decide. What it has proved counts only where they ask for the same proof of the same secret.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { cstring, decodeErrorResponse, message, startupMessage } from '../support/peers/messages.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { openClient } from './clients.ts';

const HBA = 'hostssl all all all password\n';
const USERS = '"alice" "correct-horse"\n';

interface Change {
  readonly hba?: string;
  readonly users?: string;
  /** False: the setting is taken away. */
  readonly hasAuthFile?: boolean;
  /** The SQLSTATE that the client ends with; null = it is let in. */
  readonly sqlstate: string | null;
}

const CHANGES: Readonly<Record<string, Change>> = {
  'a line for somebody else': { hba: `hostssl all bob all reject\n${HBA}`, sqlstate: null },
  "somebody else's secret": { users: `"bob" "x"\n${USERS}`, sqlstate: null },
  'a reject': { hba: 'hostssl all alice all reject\n', sqlstate: '28000' },
  'another method': { hba: 'hostssl all all all scram-sha-256\n', sqlstate: '57P03' },
  'another secret': { users: '"alice" "staple"\n', sqlstate: '57P03' },
  'no secret': { users: '', sqlstate: '57P03' },
  // The upstream would ask, and no driver expects to be asked again.
  'no auth_file': { hasAuthFile: false, sqlstate: '57P03' },
  'a line whose password is the upstream to check': {
    hba: 'hostssl all all all ldap ldapserver=localhost ldapprefix="" ldapsuffix=""\n',
    sqlstate: '57P03',
  },
  'a line that asks for nothing': { hba: 'hostssl all all all trust\n', sqlstate: null },
};

await test('each change', async (t) => {
  let logins = 0;
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.readStartup();
    logins += 1;
    await connection.acceptLogin();
    await connection.stall();
  });
  const gate = await startGate(t, {
    hba: HBA,
    upstream,
    config: { auth_file: 'userlist.txt' },
    files: { 'userlist.txt': USERS },
  });
  const yaml = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
  for (const [name, { hba = HBA, users = USERS, hasAuthFile = true, sqlstate }] of Object.entries(CHANGES)) {
    gate.rewrite('gatehouse.yaml', yaml);
    gate.rewrite('pg_hba.conf', HBA);
    gate.rewrite('userlist.txt', USERS);
    t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
    logins = 0;
    const from = gate.logLength();
    const client = await openClient(t, gate);
    await client.send(startupMessage({ user: 'alice' }));
    await client.readMessage();
    gate.rewrite('pg_hba.conf', hba);
    gate.rewrite('userlist.txt', users);
    if (!hasAuthFile) gate.rewrite('gatehouse.yaml', yaml.replace(/^auth_file: .*\n/m, ''));
    t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
    t.equal(logins, 0, `${name}: nothing is dialled before the password is proved`);
    await client.send(message('p', cstring('correct-horse')));
    const reply = await client.readMessage();
    t.equal(reply.type === 'E' ? decodeErrorResponse(reply)['C'] : null, sqlstate, name);
    const lines = gate.log.slice(from).filter(({ msg }) => msg.startsWith('connection authenticated'));
    t.equal(lines.length, sqlstate === null ? 1 : 0, `${name}: authenticated is logged for each who got in`);
    client.destroy();
  }
});
