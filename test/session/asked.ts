// Statements in one session, by the simple protocol, with the answer as one line of text.

import type { Credentials } from '../support/certificates/certificates.ts';
import type { Gate } from '../support/run/gate.ts';
import { decodeErrorResponse, query, type RawClient } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { openSession } from './clients.ts';

/** A session of this user's, by which statements are asked one after another. */
export class Asked {
  readonly #client: RawClient;

  /** @param client logged in */
  constructor(client: RawClient) {
    this.#client = client;
  }

  /** Logs in through the gate, inside TLS where there are credentials. @throws Error when the login is refused */
  static async open(t: Scope, gate: Gate, user: string, credentials?: Credentials): Promise<Asked> {
    const { client } = await openSession(t, gate, {
      tls: credentials !== undefined,
      ...(credentials === undefined ? {} : { credentials }),
      parameters: { user, database: 'postgres' },
    });
    return new Asked(client);
  }

  /** The last row's columns, or the error's message. */
  async ask(sql: string): Promise<string> {
    await this.#client.send(query(sql));
    const messages = await this.#client.readMessagesUntil('Z');
    const error = messages.find(({ type }) => type === 'E');
    if (error !== undefined) return decodeErrorResponse(error)['M']!;
    return columnsOf(messages.findLast(({ type }) => type === 'D')?.body ?? Buffer.alloc(2)).join('|');
  }
}

function columnsOf(row: Buffer): string[] {
  let at = 2;
  return Array.from({ length: row.readInt16BE() }, () => {
    const length = Math.max(0, row.readInt32BE(at));
    at += 4 + length;
    return row.toString('utf8', at - length, at);
  });
}
