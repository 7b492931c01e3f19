// A gate with a console and no upstream, and clients of bytes at it: what they send has no driver's manners.

import { connectRaw, decodeErrorResponse, query, type RawClient } from '../support/peers/raw-client.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import type { Scope } from '../support/run/scope.ts';

export async function trustingConsole(t: Scope): Promise<Gate> {
  return await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { admin_users: 'dba' },
  });
}

/** A console that waits for its first statement. */
export async function openConsole(t: Scope, gate: Gate): Promise<RawClient> {
  const client = await connectRaw(t, gate.port);
  const { error } = await client.login({ user: 'dba', database: 'gatehouse' });
  if (error !== null) throw new Error(`no console: ${error.M}`);
  return client;
}

/** Sends messages of which one is answered with ReadyForQuery; what came until then, a word each: `1`, `E 42P02`, `Z I`. */
export async function exchange(client: RawClient, ...messages: readonly Uint8Array[]): Promise<string[]> {
  await client.send(...messages);
  const answers = await client.readMessagesUntil('Z');
  return answers.map((each) => {
    switch (each.type) {
      case 'E':
        return `E ${decodeErrorResponse(each).C}`;
      case 'C':
        return `C ${each.body.toString('latin1', 0, each.body.length - 1)}`;
      case 'Z':
        return `Z ${each.body.toString('latin1')}`;
      default:
        return each.type;
    }
  });
}

/** One Query. */
export async function ask(client: RawClient, sql: string): Promise<string[]> {
  return await exchange(client, query(sql));
}
