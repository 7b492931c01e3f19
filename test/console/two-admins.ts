// Two administrators, each at a console of their own.

import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import type { Scope } from '../support/run/scope.ts';

/** The consoles are those of the users `one` and `other`. */
export interface TwoAdmins {
  readonly gate: Gate;
  readonly one: RawClient;
  readonly other: RawClient;
}

export async function twoAdmins(t: Scope): Promise<TwoAdmins> {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { admin_users: ['one', 'other'] },
  });
  const atConsole = async (user: string): Promise<RawClient> => {
    const client = await connectRaw(t, gate.port);
    const { error } = await client.login({ user, database: 'gatehouse' });
    if (error !== null) throw new Error(`the console refuses ${user}`, { cause: error });
    return client;
  };
  return { gate, one: await atConsole('one'), other: await atConsole('other') };
}
