// With identity_prefix a client's own settings under the prefix never reach the server, however they are spelled. Each
// spelling is first tried on the server itself, where it works, and then through the gate.

import { test } from 'tap';
import { withoutSettings } from '../../src/protocol/startup-options.ts';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, type Parameters, type RawClient } from '../support/peers/raw-client.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { Asked } from './asked.ts';
import { TRUST } from './clients.ts';

/** Values of `options` that set gate_house.foo to x, on every server since 9.5. */
const OPTIONS = [
  '-c gate_house.foo=x',
  '-cgate_house.foo=x',
  '--gate_house.foo=x',
  '-c GATE_HOUSE.Foo=x',
  '--Gate-House.FOO=x',
  '-c gate-house.foo=x',
  '-ec gate_house.foo=x',
  '-ecgate_house.foo=x',
  '-e-gate_house.foo=x',
  '-e- gate_house.foo=x',
  '-c\tgate_house.foo=x',
  '\n\v-c\f\r gate_house.foo=x ',
  '-c gate\\_ho\\use.foo=x',
  '\\-\\c g\\ate_house\\.foo\\=x',
  '-\\-gate_house.foo=x',
  '-\\e\\c gate_house.foo=x',
  '-c gate_house.foo=y -c gate_house.foo=x',
  '-c geqo=off -c gate_house.foo=x --enable_seqscan=off',
  '-c DateStyle=ISO,\\ DMY -c gate_house.foo=x',
  '-S 4096 -c gate_house.foo=x',
];

const PARAMETERS: readonly Parameters[] = [
  { 'gate_house.foo': 'x' },
  { 'GATE_HOUSE.FOO': 'x' },
  [
    ['Gate_House.foo', 'y'],
    ['gate_house.Foo', 'x'],
  ],
];

/** What no one reading fits: refused. */
const UNCLEAR = [
  // Before 9.5 a backslash is itself, so that a value ends at the next space.
  '-c application_name=a\\ --gate_house.foo=x',
  '-c application_name=a\\ -c\\ gate_house.foo=x',
  '-c gate_house.foo=x rest',
  'rest -c gate_house.foo=x',
  '-c gate_house.foo=x -- rest',
  '-Q -c gate_house.foo=x',
  '-c gate_house.foo=x -c',
  '-c\xa0gate_house.foo=x',
  '- gate_house.foo=x',
];

/** What mentions the prefix and sets nothing under it: the server gets it as it came. */
const HARMLESS = [
  '-c application_name=gate_house.foo=x',
  '--application_name=gate_house.foo',
  '-c  search_path=gate_house.x,public',
  '-c xgate_house.foo=x',
];

for (const version of [10, 18] as const) {
  await test(`PostgreSQL ${version}`, async (t) => {
    await using server = await startPostgres({ version });
    const gate = await startGate(t, {
      hba: TRUST,
      upstream: server,
      config: { upstream: { identity_prefix: 'gate_house' } },
    });
    const logIn = async (port: number, parameters: Parameters): Promise<[RawClient, string | undefined]> => {
      const client = await connectRaw(t, port);
      const pairs = Array.isArray(parameters) ? parameters : Object.entries(parameters);
      const { error } = await client.login([['user', 'postgres'], ...pairs] as Parameters);
      return [client, error?.['C']];
    };

    for (const parameters of [...PARAMETERS, ...OPTIONS.map((options) => ({ options: bytes(options) }))]) {
      const name = JSON.stringify(parameters);
      const [direct] = await logIn(server.port, parameters);
      t.equal(await foo(direct), 'x', `${name} works`);
      const [client, refused] = await logIn(gate.port, parameters);
      t.equal(refused, undefined, `${name} is taken`);
      t.equal(await foo(client), '', `${name} has no effect`);
      const values = await new Asked(client).ask(
        "SELECT current_setting('gate_house.client_addr'), current_setting('gate_house.identity')",
      );
      t.equal(values, '127.0.0.1|');
      client.destroy();
      direct.destroy();
    }
    for (const options of UNCLEAR) {
      const [client, refused] = await logIn(gate.port, { options: bytes(options) });
      t.equal(refused, '42501', JSON.stringify(options));
      client.destroy();
    }
    t.equal(gate.log.filter(({ code }) => code === 'identity-setting-unclear').length, UNCLEAR.length);
    const [client] = await logIn(gate.port, {
      options: '-c geqo=off -ec gate_house.foo=x --work_mem=3MB',
      application_name: 'gate_house.foo',
      'gate_house.dn': 'CN=admin',
    });
    const kept = ['geqo', 'work_mem', 'application_name', 'gate_house.dn']
      .map((setting) => `current_setting('${setting}')`)
      .join();
    t.equal(await new Asked(client).ask(`SELECT ${kept}`), 'off|3MB|gate_house.foo|', 'the others are set');
  });
}

async function foo(client: RawClient): Promise<string> {
  return await new Asked(client).ask("SELECT current_setting('gate_house.foo', true)");
}

/** One byte a code unit. */
function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

await test('by the bytes', async (t) => {
  for (const options of HARMLESS) t.equal(withoutSettings(options, 'gate_house'), options, options);
  for (const options of UNCLEAR) t.equal(withoutSettings(options, 'gate_house'), null, options);
  t.equal(
    withoutSettings('-c a=b\\ c', 'gate_house'),
    '-c a=b\\ c',
    'what does not mention it is not looked at',
  );
  t.equal(withoutSettings('  -q  ', 'gate_house'), '  -q  ');
  t.equal(withoutSettings('-c gate_house.a=1', 'gate_house'), '');
  t.equal(withoutSettings('-c GATE_HOUSE.a=1', 'Gate_House'), '', 'whatever the case of the setting');
  t.equal(withoutSettings('-c x.y=1\t-eFc\ngate_house.a=1 -c "z w', 'gate_house'), null);
  t.equal(
    withoutSettings('-c x.y=a\\ b\t-eFc\ngate_house.a=1\v-c z=w', 'gate_house'),
    '-c x.y=a\\ b -eF -c z=w',
  );
});
