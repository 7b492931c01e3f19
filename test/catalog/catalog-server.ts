// What a server says to the gate's own session, for tests that play it.

import { cstring, int32, message, readyForQuery } from '../support/peers/messages.ts';
import type { Script, UpstreamConnection } from '../support/peers/scripted-upstream.ts';

const COMPLETE = message('C', cstring('SELECT 1'));

/** What it says to the first statements of the session. */
export const SET = Buffer.concat([message('C', cstring('SET')), readyForQuery()]);

/**
 * A server that lets everybody in and says no more, but for the gate's own session, which it serves by `answers` once its
 * first statements are done.
 */
export function serverFor(
  reader: string,
  answers: (connection: UpstreamConnection) => Promise<void>,
): Script {
  return async (connection) => {
    const { parameters } = await connection.readStartup();
    await connection.acceptLogin();
    if (parameters['user'] !== reader) return await connection.stall();
    await connection.readMessage();
    await connection.send(SET);
    return await answers(connection);
  };
}

/** A name as the answer about memberships has it. */
export const hex = (text: string): string => Buffer.from(text).toString('hex');

export function int16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

/** The rows of an answer with text columns. */
export function answer(columns: number, rows: readonly (readonly string[])[]): Buffer {
  const field = Buffer.concat([
    cstring('c'),
    int32(0),
    int16(0),
    int32(25),
    int16(-1 & 65_535),
    int32(-1),
    int16(0),
  ]);
  return Buffer.concat([
    message('1'),
    message('2'),
    message('T', int16(columns), ...Array.from({ length: columns }, () => field)),
    ...rows.map((row) =>
      message('D', int16(row.length), ...row.flatMap((text) => [int32(text.length), Buffer.from(text)])),
    ),
    COMPLETE,
    readyForQuery(),
  ]);
}
