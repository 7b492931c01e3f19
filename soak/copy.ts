// COPY over a connection of our own, since the driver has none: rows that both sides can compute, hashed on the way,
// read as slowly as one likes.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { RawClient } from '../test/support/peers/raw-client.ts';
import { message, query, sslRequest, terminate } from '../test/support/peers/messages.ts';

const ROW_BYTES = 1_000;
const PATIENCE_MS = 60_000;

/** A logged-in connection of alice's. */
export class CopySession {
  readonly #client: RawClient;

  private constructor(client: RawClient) {
    this.#client = client;
  }

  /** @throws Error when it is refused */
  static async open(
    port: number,
    tls: ConnectionOptions,
    onPort: (port: number) => void,
  ): Promise<CopySession> {
    const raw = connect({ host: '127.0.0.1', port });
    raw.on('error', () => {});
    await once(raw, 'connect');
    onPort(raw.localPort ?? 0);
    raw.write(sslRequest());
    const [answer]: Buffer[] = await once(raw, 'data', { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer?.toString('latin1') !== 'S') throw new Error('SSLRequest was not answered S');
    raw.removeAllListeners('data');
    const secure = connectTls({ socket: raw, servername: 'localhost', ...tls });
    secure.on('error', () => {});
    await once(secure, 'secureConnect', { signal: AbortSignal.timeout(PATIENCE_MS) });
    const client = new RawClient(secure);
    const { error } = await client.login({ user: 'alice', database: 'soak' });
    if (error !== null) throw new Error(`${error['C']} ${error['M']}`);
    return new CopySession(client);
  }

  /** Reads so many rows and compares their digest; the bytes compared. */
  async out(rows: number, { pauseMs = 0 } = {}): Promise<number> {
    const client = this.#client;
    await client.send(
      query(
        `copy (select repeat(chr(97 + i % 26), ${ROW_BYTES - 1}) from generate_series(1, ${rows}) i) to stdout`,
      ),
    );
    const hash = createHash('sha256');
    let bytes = 0;
    for (;;) {
      const { type, body } = await client.readMessage(PATIENCE_MS);
      if (type === 'E') throw new Error(body.toString());
      if (type === 'Z') break;
      if (type !== 'd') continue;
      hash.update(body);
      bytes += body.length;
      if (pauseMs > 0 && bytes % (200 * ROW_BYTES) === 0) {
        client.pause();
        await pause(pauseMs);
        client.resume();
      }
    }
    const expected = createHash('sha256');
    for (let row = 1; row <= rows; row++) expected.update(line(row));
    if (hash.digest('hex') !== expected.digest('hex'))
      throw new WrongCopyError(`${bytes} bytes of a copy are not those sent`);
    return bytes;
  }

  /** Sends so many rows and has the server digest them; the bytes compared. */
  async in(rows: number): Promise<number> {
    const client = this.#client;
    await this.#run('create temp table t (n serial, v text)');
    await client.send(query('copy t (v) from stdin'));
    await client.readMessagesUntil('G', PATIENCE_MS);
    const digest = createHash('md5');
    for (let row = 1; row <= rows; row++) {
      const bytes = line(row);
      digest.update(bytes);
      await client.send(message('d', bytes));
    }
    await client.send(message('c'));
    await client.readMessagesUntil('Z', PATIENCE_MS);
    const answer = await this.#run("select md5(string_agg(v || E'\\n', '' order by n)) from t");
    if (!answer.includes(digest.digest('hex')))
      throw new WrongCopyError('a copy did not arrive as it was sent');
    await this.#run('drop table t');
    return rows * ROW_BYTES;
  }

  async #run(sql: string): Promise<string> {
    await this.#client.send(query(sql));
    const messages = await this.#client.readMessagesUntil('Z', PATIENCE_MS);
    const failed = messages.find(({ type }) => type === 'E');
    if (failed !== undefined) throw new Error(failed.body.toString());
    return messages.map(({ body }) => body.toString('latin1')).join('');
  }

  async close(): Promise<void> {
    await this.#client.send(terminate());
    this.#client.destroy();
  }

  destroy(): void {
    this.#client.destroy();
  }
}

/** Bytes that arrived and are others than were sent. */
export class WrongCopyError extends Error {}

function line(row: number): Buffer {
  return Buffer.from(`${String.fromCharCode(97 + (row % 26)).repeat(ROW_BYTES - 1)}\n`);
}
