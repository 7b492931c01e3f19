// A reload may name another file of rules, secrets or maps, and fail of that one: the settings name it from then on, and
// the part keeps its old state (contract §5). A worker that takes a dead one's place starts from that very mixture.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { parse, stringify } from 'yaml';
import { startGate, type Gate } from '../support/run/gate.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { openClient } from '../session/clients.ts';
import { replaceEveryWorker } from './workers.ts';

/** What a reload names, and none of it can be loaded. */
const renamed: readonly Readonly<Record<string, string>>[] = [
  { hba_file: 'missing.conf', ident_file: 'broken.conf' },
  { auth_file: 'missing.txt' },
  { hba_file: 'broken.conf', auth_file: '' },
];

await test('kill -9 after each', async (t) => {
  const gate = await startGate(t, {
    hba: 'hostssl all all all cert map=m\n',
    ident: 'm alice-cert alice\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    files: { 'broken.conf': 'm\n', 'userlist.txt': '"alice" "secret"\n' },
    config: { workers: 2, auth_file: 'userlist.txt', reload: { watch: 'off' } },
  });
  const alice = gate.authority.client('alice-cert');
  const settings: Record<string, unknown> = parse(readFileSync(gate.path('gatehouse.yaml'), 'utf8'));
  for (const names of renamed) {
    const name = Object.keys(names).join(' and ');
    gate.rewrite('gatehouse.yaml', stringify({ ...settings, ...names }));
    t.equal((await gate.admin('/reload', { method: 'POST' })).status, 422, name);
    const hash = await configHash(gate);
    await replaceEveryWorker(gate);
    for (let attempt = 0; attempt < 6; attempt++) {
      const client = await openClient(t, gate, { credentials: alice });
      t.equal((await client.login({ user: 'alice' })).error, null, `${name}: alice gets in by the old ones`);
      client.destroy();
    }
    t.equal(await configHash(gate), hash);
  }
  t.equal(gate.log.filter(({ msg }) => msg.startsWith('could not start a worker')).length, 0);
});

/** Of what is in force, as the metrics show it. */
async function configHash(gate: Gate): Promise<string | undefined> {
  const { body } = await gate.admin('/metrics');
  return /^gatehouse_config_info\{hash="([0-9a-f]+)"\} 1$/m.exec(body)?.[1];
}
